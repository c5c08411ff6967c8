"""The fleet: nodes, their births and devices, commands and their life, readings and roll-ups.

`api`, `ingest` and `outbox` import it. Pure: `command_life`, `aggregate`, `alarm_life`. Queries
that the API serves stand in `queries` and `readings`.
"""
