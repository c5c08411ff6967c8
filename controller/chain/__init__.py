"""The chain: what the suite reads from Bitcoin's network and what it hands to it.

`backend.ChainBackend` is the one interface; `embedded` is a regtest chain on Core's own consensus
engine, `core_rpc` a Bitcoin Core node over JSON-RPC. `follower` turns either into facts in the
database that a reorganisation takes back. `engine` verifies scripts with Core's engine: every
transaction of the suite passes it before it is broadcast. `mempool` holds the policy rules of one
named Core release as pure functions, which the embedded chain applies.

Whatever moves coins imports from here; nothing here knows wallets or contracts, which register
with the follower instead. A new backend implements `backend.ChainBackend` and passes the tests in
`tests/integration/controller/chain/test_backends.py`.
"""
