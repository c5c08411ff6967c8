"""The backend for Bitcoin Core, version 28.0 or later, over JSON-RPC with cookie authentication.

`backend.CoreRpc` answers `ChainBackend`; `client` carries one call, `answers` reads what came.
`hints` listens to the node's ZMQ publisher, if one is configured, and knows only that something
happened: whoever waits for it polls anyway, at a bounded interval. Only what composes the
controller imports from here.
"""
