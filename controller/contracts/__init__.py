"""Contracts: how coins may move, and every step from the wish to a final transaction.

Nothing here but `store` knows a database, and nothing knows a route or the time of day: the chain's
facts, coins, approvals, fees and the time are passed in, so that every execution replays to the
same bytes. The one other effect is Core's engine, passed in as `signing.Verify`.

In the order in which a contract is made and used:

- `terms`, `parties`: typed parameters with units and bounds. `templates`: the built-in kinds;
  `catalogue` finds them and others by entry point (`bes.contracts`).
- `paths`, `contract`: ways compiled to descriptors, and read back as paths with who enforces what.
- `shapes`, `meter`: what a spend needs, before it is signed, against the contract's limits.
- `intents`, `requests`: what approvers sign, and what to draft for it. `context`: what an execution
  rests on. `destinations`, `split`, `locks`: what a path may pay, and when.
- `execute`, `draft`, `proof`: the unsigned transaction. `simulate`: the same without anyone.
- `history`, `rules`: what may be signed after what was signed. Every signer applies the same.
- `signing`, `musig_signing`: keys in memory, satisfaction, verification; `psbts`: drafts to signers
  elsewhere, and their signatures back.
- `life`, `facts`: the contract's state table, and the events that the chain's facts are.
- `store`: contracts, facts, intents, transactions and the log of each in the database.

The rest of the controller may import it; it imports `shared`, `controller.chain` (values, sigops)
and `controller.wallets.feerates`; `store` besides the database, the audit log and the follower's
listeners.

| to add | goes into |
| --- | --- |
| a kind of contract | a module in `templates` and an entry point |
| a limit | `meter.Limits`, `meter.check_usage` |
| a kind of intent | `intents`, a judge in `rules`, a request in `requests` |
| a state or event | `life`, then `python -m controller.contracts.life_page` |
"""
