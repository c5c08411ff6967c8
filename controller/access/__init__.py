"""Who may speak to the controller over HTTP.

Until there are accounts: one bearer token from a file, for programs as it is, for the page in
exchange for a session cookie. `tokens` decides, `sessions` seals the cookie, `guard` is the door
that routes use. Only `controller.api`, `controller.web` and `controller.app` import this.
"""
