"""The node's identity on its host: made here, enrolled once, renewed for ever.

`folder` keeps key, certificate and pinned roots; `controller` speaks to the controller's enrolment
interface; `join` is `bes agent join`; `schedule` (pure) says when to renew and `renewal` does it
within the running agent. Imported by `agent.cli` and `agent.runtime`. The private key never leaves
the folder and is made anew with every certificate.
"""
