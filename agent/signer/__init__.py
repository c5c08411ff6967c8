"""Role "signer": the agent of an HSM host.

It holds no keys yet: it connects, is born, reports the health of its host and refuses every
command. Key stores, policy and ledger come to live here. Built by `agent.runtime.roles`.
"""
