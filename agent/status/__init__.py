"""What the agent shows on its own host: a page, the same as JSON, Prometheus metrics, liveness.

Only `agent.runtime` and `agent.cli` import it. `report` is the data (values only), `page` renders
it as HTML, `metrics` as Prometheus families, `server` serves all of it on loopback. A new figure is
a field in `report`, filled by `agent.runtime`, then a row in `page` and a family in `metrics`.
"""
