"""Contracts in the database: what was agreed, signed and seen, and the log of each.

Everything is written before it is acted on, in the caller's transaction: the rows, the contract's
next version by compare-and-set, its numbered event and the audit leaf commit together or not at
all. So a signature leaves only after `record_signed` has committed, and a transaction is sent only
after `record_broadcast` has; what a crash leaves behind is found by reading.

- `log`: the one way in which a contract changes. `registry`: creation, decisions, state
  transitions, one or in groups. `intents`, `transactions`: what was approved, drafted, signed and
  sent. `intent_life`: their lives as tables, pure.
- `reading`: rows as the pure core reads them (`facts.Reading`, `history.History`).
  `listener`: the chain's blocks as facts, in the transaction that commits a block.

Who judges what may be signed reads the history and records in one transaction, at one `Place`: a
contract that changed in between is refused with a `ConflictError`.

| to add | goes into |
| --- | --- |
| a column | `controller.storage.tables.contracts` and a migration |
| a step that changes a contract | a function that ends in `log.append` |
"""
