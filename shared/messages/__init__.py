"""The wire: topics, the deterministic encoding, and one module a message family.

Families: `state`, `birth`, `telemetry`, `event` up; `ack`, `command` down. Every decoder refuses
what breaks the contract with `BadInputError` and never returns a partial message. A new family is
a new module here and a member of `topics.Channel`.
"""
