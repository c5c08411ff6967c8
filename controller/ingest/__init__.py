"""What nodes send becomes rows: decode, group, commit, ack.

`senders` tells who may be heard, `replicas` what replicas have in common; `inbox` reads
messages (pure) and `salvage` what breaks its form, row by row (pure), `batches`
decides which rows are new (pure), `telemetry` and `events` write them, `quarantine` those that
cannot be read, `gaps` takes gap reports, `group` puts a group of messages into one
transaction, `runner` is the thread that does so. A new kind of event that the controller acts on
gets its case in `events`.
"""
