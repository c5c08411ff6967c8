"""Sets things up: certificates, broker configuration, checkouts, and the demonstration.

May import `shared` and the drivers' simulators; agent and controller run as processes of their own.
`authority` makes certificates, `broker` writes the broker's configuration, `demo` plays a day of a
simulated site.
"""
