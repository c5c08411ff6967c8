"""Sets things up: certificates, broker configuration, checkouts, and the demonstration.

May import `shared` and the drivers' simulators; agent and controller run as processes of their own.
`ca` is the company's own authority (`bes ca`), `authority` a throw-away one, `broker` writes the
broker's configuration, `demo` plays a day of a simulated site.
"""
