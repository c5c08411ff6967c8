"""Braiins OS: the REST API of 23.03 and later, and the GraphQL API of 21.09 to 22.08.

`driver` finds the API; `rest_miner` and `graphql_miner` do the I/O; `rest_reading` and
`graphql_reading` are pure. The agent finds `DRIVER` through its entry point. A new field goes into
the reading module of its API, a new write into `apply`.
"""

from firmware_bridges.miners.braiins.driver import DRIVER

__all__ = ["DRIVER"]
