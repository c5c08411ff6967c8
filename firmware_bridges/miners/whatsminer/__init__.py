"""MicroBT Whatsminer: API v1 and v2 on TCP 4028, v3 on TCP 4433.

`driver` finds the API; `v2_miner` and `v3_miner` do the I/O; `v2_reading`, `v3_reading`,
`privileged`, `v3_wire`, `faults` and `md5crypt` are pure. The agent finds `DRIVER` through its
entry point. A new field goes into the reading module of its API, a new write into `apply`.
"""

from firmware_bridges.miners.whatsminer.driver import DRIVER

__all__ = ["DRIVER"]
