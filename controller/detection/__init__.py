"""Security events: what looks like an attack or a mistake that matters, told to people.

`kinds` is the one table of kinds with their severity, `counting` the rule that keeps equal events
on one row, `report` writes an event; every part that refuses something calls it. `broker_log` and
`broker_watch` read what mosquitto refused, `fleet_rules` and `watch` judge what nodes send,
`webhook` and `deliveries` send events to the company's own receiver. A new kind is a line in
`kinds`, a new detector a pure function beside the others.
"""
