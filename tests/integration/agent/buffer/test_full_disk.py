"""The disk fills up, in its several ways, and has room again."""

import sqlite3
from pathlib import Path

import pytest

from agent import recorder as recorder_module
from agent.buffer import rows
from agent.buffer.keeper import Keeper
from agent.database import Database, DatabaseOptions, StorageFullError
from agent.recorder import Recorder
from shared.messages.event import Event, EventKind, Severity
from shared.messages.gap import Gap
from tests.agents import IDENTITY, MINERS, NOON_MS, POWER, SetClock
from tests.integration.agent.buffer.disks import SmallDisk

OPTIONS = DatabaseOptions(reserve_bytes=1024 * 1024)
BUDGET = 100 * 1024 * 1024


async def _open(disk: SmallDisk) -> Database:
    return await Database.open(disk.folder / "agent.db", OPTIONS)


def _add(connection: sqlite3.Connection) -> int:
    return rows.insert_event(connection, NOON_MS, bytes(3_000))


async def _events_until_full(database: Database) -> list[int]:
    accepted: list[int] = []
    for _ in range(4_000):
        try:
            accepted.append(await database.write(_add))
        except StorageFullError:
            return accepted
    raise AssertionError("the disk never filled up")


def _seqs(connection: sqlite3.Connection) -> list[int]:
    return [seq for (seq,) in connection.execute("SELECT seq FROM event ORDER BY seq")]


async def test_a_full_disk_refuses_and_keeps_what_was_accepted(small_disk: SmallDisk) -> None:
    database = await _open(small_disk)
    await small_disk.fill(database)
    accepted = await _events_until_full(database)
    with pytest.raises(StorageFullError):
        await database.write(_add)
    assert await database.read(_seqs) == accepted
    assert (await database.usage()).full
    assert not await database.restore_space()
    small_disk.free()
    assert await database.restore_space()
    later = await database.write(_add)
    assert later > max(accepted, default=0)
    await database.close()
    again = await _open(small_disk)
    assert await again.read(_seqs) == [*accepted, later]
    assert await again.read(lambda c: c.execute("PRAGMA integrity_check").fetchone()) == ("ok",)
    await again.close()


async def test_acked_rows_are_deleted_on_a_full_disk_and_make_room(small_disk: SmallDisk) -> None:
    database = await _open(small_disk)
    for _ in range(300):
        await database.write(_add)
    await small_disk.fill(database)
    filled = await _events_until_full(database)
    gone = await database.write(lambda c: rows.delete(c, "event", 1, 200, 1_000), frees_space=True)
    assert gone == 200
    for _ in range(100):
        await database.write(_add)
    seqs = await database.read(_seqs)
    assert len(seqs) == 300 + len(filled) - 200 + 100
    assert seqs[0] == 201
    await database.close()


async def test_the_database_opens_on_a_full_disk_and_frees_itself(small_disk: SmallDisk) -> None:
    database = await _open(small_disk)
    for _ in range(300):
        await database.write(_add)
    await database.close()
    small_disk.take_all()
    again = await _open(small_disk)
    assert again.last_seqs["event"] == 300
    gone = await again.write(lambda c: rows.delete(c, "event", 1, 200, 1_000), frees_space=True)
    assert gone == 200
    assert await again.write(_add) == 301
    small_disk.free()
    assert await again.restore_space()
    await again.close()


async def test_old_telemetry_gives_way_when_the_disk_is_full(small_disk: SmallDisk) -> None:
    database = await _open(small_disk)
    clock = SetClock()
    recorder = await Recorder.open(database, clock, IDENTITY)
    await recorder.declare(MINERS)
    keeper = Keeper(database, recorder, clock, BUDGET)
    for n in range(1_500):
        assert await recorder.snapshot("miner-1", NOON_MS + n * 1_000, [(POWER, n)])
    await small_disk.fill(database)
    count = 1_500
    while keeper.status.reports < 2 and count < 20_000:
        assert await recorder.snapshot("miner-1", NOON_MS + count * 1_000, [(POWER, count)])
        count += 1
        if count % 100 == 0:
            await keeper.look()
    assert keeper.status.disk_full
    assert recorder.held == 0
    kept = await database.read(lambda c: rows.telemetry_in(c, [(1, count)], count))
    gaps = [
        Gap.from_data(Event.decode(row.body).data)
        for row in await database.read(lambda c: rows.events_in(c, [(1, count)], count))
    ]
    named = [seq for gap in gaps for seq in range(gap.first, gap.last + 1)]
    assert sorted([*named, *(row.seq for _, row in kept)]) == list(range(1, count + 1))
    totals = [a.total for gap in gaps for b in gap.buckets for a in b.metrics.values()]
    assert sum(totals) == sum(seq - 1 for seq in named)
    await database.close()


async def test_snapshots_are_held_then_refused_and_the_loss_is_told(
    small_disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "MOST_HELD", 5)
    database = await _open(small_disk)
    clock = SetClock()
    recorder = await Recorder.open(database, clock, IDENTITY)
    await recorder.declare(MINERS)
    keeper = Keeper(database, recorder, clock, BUDGET)
    await recorder.event(Event(EventKind.AGENT, Severity.INFO, {"what": "started"}))
    await small_disk.fill(database)
    await _events_until_full(database)
    accepted = 0
    while await recorder.snapshot("miner-0", NOON_MS, [(POWER, 1.5)]):
        accepted += 1
    for n in range(1, 12):
        assert not await recorder.snapshot("miner-0", NOON_MS + n, [(POWER, n)])
    assert recorder.held == 5
    assert recorder.refused == 7
    with pytest.raises(StorageFullError):
        await recorder.event(Event(EventKind.AGENT, Severity.INFO, {"what": "x" * 5_000}))
    await keeper.look()
    assert recorder.held == 5
    small_disk.free()
    await keeper.look()
    await keeper.look()
    assert (recorder.held, recorder.refused) == (0, 0)
    assert await recorder.snapshot("miner-0", NOON_MS + 99, [(POWER, 1.0)])
    assert database.last_seqs["telemetry"] == accepted + 5 + 1
    last = (await database.read(lambda c: rows.events_in(c, [(1, 2**62)], 10_000)))[-1]
    told = Event.decode(last.body)
    assert told.data["what"] == "snapshots_refused"
    assert told.data["count"] == 7
    assert told.data["to_ms"] == NOON_MS + 11
    await database.close()


async def test_a_damaged_file_is_set_aside_and_the_streams_are_new(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "agent.db", OPTIONS)
    before = dict(database.streams)
    await database.write(_add)
    await database.close()
    damaged = b"this is no database" * 1_000
    (tmp_path / "agent.db").write_bytes(damaged)
    again = await Database.open(tmp_path / "agent.db", OPTIONS)
    assert again.replaced is not None
    assert again.replaced.read_bytes() == damaged
    assert not set(before.values()) & set(again.streams.values())
    assert again.last_seqs == {"telemetry": 0, "event": 0}
    await again.close()
