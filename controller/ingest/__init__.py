"""What nodes send becomes rows: decode, group, commit, ack.

`inbox` reads messages (pure), `batches` decides which rows are new (pure), `telemetry` and
`events` write them, `gaps` takes gap reports, `group` puts a group of messages into one
transaction, `runner` is the thread that does so. A new kind of event that the controller acts on
gets its case in `events`.
"""
