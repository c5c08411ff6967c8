"""The process on a site or an HSM host: it measures, decides and acts on its own.

Nothing outside this package imports it; it imports `firmware_bridges` and `shared`, never
`controller`. `database` is the one SQLite file with its one writer, `schema` every table in it,
`recorder` the way in for snapshots and events, `buffer` what keeps and thins them, `uplink` what
sends them, `commands` what judges and journals orders, `inference` the local models; `site` and
`signer` are the roles. A new role is a package with a `build_...` function that `runtime` calls; a
new table is a migration in `schema`.
"""
