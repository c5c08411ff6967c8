"""Miner families, one driver each behind `firmware_bridges.protocol.Miner`.

`cgminer` is the transport of TCP port 4028 and reads its JSON, `http` is HTTP to one device,
`replies` opens raw replies, `extract` takes typed fields out of them, `found_api` is a miner whose
firmware decides which API it speaks. Each family parses its raw replies in one pure module and
keeps its I/O in a thin driver. Only the agent (through the entry points `bes.drivers`) and the
tests import the families. To add one: a package with a `DRIVER`, an entry point, a simulator, and a
test in which every capture is read field by field.
"""
