"""The transactional outbox: every outgoing message is a row of the transaction that causes it.

`messages` enqueues (called by `ingest` and `fleet`), `plan` decides what a node is sent now,
`dispatcher` sends it and waits for the broker's word. A new kind of message is a function in
`messages` and a case in `plan`.
"""
