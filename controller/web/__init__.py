"""The controller's page: server-rendered, with light scripts under a strict policy.

`routes` serves the page, signing in and out, and static files; `policy` sets the headers of every
answer. `templates` and `static` are ours; the charts come from uPlot as its package installs it.
Only `controller.app` imports this.
"""
