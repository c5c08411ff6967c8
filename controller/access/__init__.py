"""Who may come in, and who may do what.

`permissions` is the one table that routes, documents and tests read. Pure rules: `permissions`,
`throttle`, `session_life`, `csrf`, `addresses`, `four_eyes`. In the database: `people` (accounts,
grants), `sessions`, `factors` (kept by `factor_seal`), `passkeys`, `api_tokens`, `attempts`. In the
process: `passwords`, and `places`, the queues for judging them. `desk` is what the interface asks,
`cli` is `bes user`, `documents` writes `docs/permissions.md`, `approvals` has the four eyes.

A new permission is a line in `permissions` (enum, meaning, roles), then
`python -m controller.access.documents`; a route declares it with `controller.api.guard.Needs`.
"""
