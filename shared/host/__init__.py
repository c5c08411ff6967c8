"""What both sides' processes do to their host: the only package of `shared` with I/O or a clock.

`service_manager` tells systemd how a process fares, `sqlite_copy` copies a database in use,
`tracing` times pieces of work and `otlp` sends them to a collector. Composition and runners of the
agent and of the controller import it; the rest of `shared` never does (import-linter holds it so).
Something both sides must do to their host is one module here; what one side does stands there.
"""
