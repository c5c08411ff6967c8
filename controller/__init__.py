"""The controller: what it is told by nodes it commits, what people decide it signs and sends.

`app` composes it; `services` is what its parts share. Domain folders (`ingest`, `fleet`, `outbox`,
`audit`, `retention`) keep pure decisions beside thin adapters over `storage`; `api`, `web` and
`access` serve people. Nobody outside imports this package; a new subsystem is a new folder here,
its tables in `storage/tables`, its background service in `app`.
"""
