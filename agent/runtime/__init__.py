"""Composes one agent from its configuration and runs it until it is told to stop.

`process` is the order of starting and stopping, `roles` builds the configured role, `host` is what
belongs to the machine (the lock on the data folder, versions), `look` gathers the status report.
Imported by `agent.cli` and the tests. A new role is a branch in `roles` and a value of `role` in
`agent.config`.
"""
