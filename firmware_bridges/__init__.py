"""Drivers: one per device family, behind the protocols of `firmware_bridges.protocol`.

The agent may import this package; it imports only `shared`. `miners` holds the miner families,
`modbus` and `serial` the plant devices, `simulators` what speaks each family's protocol for the
tests and the demonstration (the product never imports it). A new family is a module with a `DRIVER`
(see `protocol.Driver`), an entry point in the group `bes.drivers`, and a simulator.
"""
