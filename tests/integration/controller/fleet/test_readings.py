"""The newest readings of many devices, on both databases."""

import pytest
from sqlalchemy import select

from controller.fleet.meaning import Meanings
from controller.fleet.readings import latest
from controller.ingest.runner import Ingest
from controller.storage.engine import Storage
from controller.storage.tables import devices
from shared.messages.birth import DeviceDeclaration
from tests.databases import counted_queries
from tests.nodes import NOON_MS, FakeNode, StillClock, enter_nodes, power_row


def with_devices(storage: Storage, ingest: Ingest, clock: StillClock, count: int) -> list[int]:
    """Enters a node with so many devices, each of them read twice; their ids."""
    node = FakeNode(
        devices=tuple(
            DeviceDeclaration(alias, f"miner-{alias:03}", "miner", "luxos", {})
            for alias in range(1, count + 1)
        )
    )
    enter_nodes(storage, clock, node.name)
    rows = [
        power_row(turn * count + alias, turn * 1_000.0 + alias, NOON_MS + turn * 1_000, alias)
        for turn in range(2)
        for alias in range(1, count + 1)
    ]
    ingest.take([node.born(), node.batch(rows)])
    with storage.read() as conn:
        return list(conn.scalars(select(devices.c.id).order_by(devices.c.name)))


@pytest.mark.parametrize("count", [1, 40, 400])
def test_the_newest_reading_of_every_device_takes_one_query_and_those_of_its_birth(
    storage: Storage, ingest: Ingest, clock: StillClock, count: int
) -> None:
    ids = with_devices(storage, ingest, clock, count)
    meanings = Meanings()
    with storage.read() as conn, counted_queries(storage) as cold:
        readings = latest(conn, meanings, ids)
    with storage.read() as conn, counted_queries(storage) as warm:
        assert latest(conn, meanings, ids) == readings
    powers = [readings[device_id].values["power_w"].value for device_id in ids]
    assert powers == [1_000.0 + alias for alias in range(1, count + 1)]
    assert (len(cold), len(warm)) == (4, 1)


def test_of_two_readings_of_one_time_the_later_number_counts(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    rows = [power_row(2, 20.0, NOON_MS), power_row(1, 10.0, NOON_MS)]
    ingest.take([node.born(), node.batch(rows)])
    with storage.read() as conn:
        device_id = conn.execute(
            select(devices.c.id).where(devices.c.name == "miner-01")
        ).scalar_one()
        readings = latest(conn, Meanings(), [device_id, device_id + 1])
    assert set(readings) == {device_id}
    assert readings[device_id].seq == 2


def test_no_devices_have_no_readings(storage: Storage) -> None:
    with storage.read() as conn, counted_queries(storage) as statements:
        assert latest(conn, Meanings(), []) == {}
    assert statements == []
