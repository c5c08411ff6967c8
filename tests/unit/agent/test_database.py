"""One writer, groups, savepoints, numbers that are never given twice."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from agent.buffer import rows
from agent.database import Database, DatabaseOptions, StorageError
from agent.schema import last_seqs
from tests.agents import count


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "deep" / "agent.db")
    yield opened
    await opened.close()


def _add(connection: sqlite3.Connection) -> int:
    return rows.insert_event(connection, 1, b"x")


def _add_and_fail(connection: sqlite3.Connection) -> int:
    _add(connection)
    raise LookupError("after writing")


async def _kept(database: Database) -> list[int]:
    return await database.read(lambda c: [s for (s,) in c.execute("SELECT seq FROM event")])


async def test_writes_that_wait_together_commit_in_one_group(database: Database) -> None:
    seqs = await asyncio.gather(*[database.write(_add) for _ in range(200)])
    assert sorted(seqs) == list(range(1, 201))
    assert database._writer.groups_committed < 100


async def test_a_failing_write_undoes_only_itself(database: Database) -> None:
    writes = [database.write(fn) for fn in (_add, _add_and_fail, _add, _add_and_fail, _add)]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert [isinstance(r, LookupError) for r in results] == [False, True, False, True, False]
    good = [r for r in results if isinstance(r, int)]
    assert await _kept(database) == sorted(good)
    assert good == [1, 2, 3], "a number that was rolled back was never anybody's"


async def test_the_number_of_a_deleted_row_is_not_given_again(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "agent.db")
    assert [await database.write(_add) for _ in range(3)] == [1, 2, 3]
    assert await database.write(lambda c: rows.delete(c, "event", 1, 3, 10)) == 3
    await database.close()
    again = await Database.open(tmp_path / "agent.db")
    assert again.last_seqs == {"telemetry": 0, "event": 3}
    assert await again.write(_add) == 4
    await again.close()


async def test_listeners_hear_of_every_new_number_before_the_write_resolves(
    database: Database,
) -> None:
    heard: list[Mapping[str, int]] = []
    database.listen(heard.append)
    assert await database.write(_add) == 1
    assert heard == [{"telemetry": 0, "event": 1}]
    await database.write(lambda c: c.execute("UPDATE event SET time_ms = 5").rowcount)
    assert len(heard) == 1, "nothing new was accepted"


async def test_a_write_that_nobody_waits_for_any_more_is_not_begun(database: Database) -> None:
    entered, release = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def block(connection: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(entered.set)
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(30)

    blocking = asyncio.create_task(database.write(block))
    await entered.wait()
    given_up = asyncio.create_task(database.write(_add))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    release.set()
    await blocking
    await database.write(lambda c: None)
    assert await _kept(database) == []


async def test_waiting_writes_are_bounded(tmp_path: Path) -> None:
    options = DatabaseOptions(most_waiting=4, most_per_group=2)
    database = await Database.open(tmp_path / "agent.db", options)
    seqs = await asyncio.gather(*[database.write(_add) for _ in range(50)])
    assert sorted(seqs) == list(range(1, 51))
    assert database._writer.groups_committed >= 25
    await database.close()


async def test_readers_cannot_write_and_see_only_what_is_committed(database: Database) -> None:
    await database.write(_add)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await database.read(_add)
    assert await _kept(database) == [1]


async def test_a_read_sees_one_state_however_many_statements_it_takes(database: Database) -> None:
    await database.write(_add)
    loop = asyncio.get_running_loop()

    def twice(connection: sqlite3.Connection) -> tuple[int, int]:
        first = count(connection, "event")
        asyncio.run_coroutine_threadsafe(database.write(_add), loop).result(30)
        return first, count(connection, "event")

    assert await database.read(twice) == (1, 1)
    assert await database.read(lambda c: count(c, "event")) == 2


async def test_a_closed_database_refuses(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "agent.db")
    pending = asyncio.create_task(database.write(_add))
    await asyncio.sleep(0)
    await database.close()
    assert await pending == 1
    with pytest.raises(StorageError):
        await database.write(_add)
    with pytest.raises(StorageError):
        await database.read(last_seqs)
    await database.close()


async def test_writes_that_wait_for_a_place_are_refused_when_it_closes(tmp_path: Path) -> None:
    options = DatabaseOptions(most_waiting=2, most_per_group=1)
    database = await Database.open(tmp_path / "agent.db", options)
    writes = [asyncio.create_task(database.write(_add)) for _ in range(20)]
    await asyncio.sleep(0)
    await database.close()
    results = await asyncio.gather(*writes, return_exceptions=True)
    accepted = [r for r in results if isinstance(r, int)]
    refused = [r for r in results if isinstance(r, StorageError)]
    assert len(accepted) + len(refused) == 20
    assert refused
    again = await Database.open(tmp_path / "agent.db", options)
    assert await _kept(again) == accepted
    await again.close()


async def test_a_path_that_is_no_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "agent.db").mkdir()
    with pytest.raises(StorageError, match=r"agent\.db"):
        await Database.open(tmp_path / "agent.db")


async def test_every_database_has_streams_of_its_own(tmp_path: Path) -> None:
    first = await Database.open(tmp_path / "a.db")
    second = await Database.open(tmp_path / "b.db")
    ids = [*first.streams.values(), *second.streams.values()]
    assert len(set(ids)) == 4
    assert all(0 <= number < 2**63 for number in ids)
    await first.close()
    await second.close()
    again = await Database.open(tmp_path / "a.db")
    assert again.streams == first.streams
    await again.close()


async def test_usage_counts_pages_that_hold_something(database: Database) -> None:
    big = bytes(100_000)
    for _ in range(20):
        await database.write(lambda c: rows.insert_event(c, 1, big))
    before = await database.usage()
    await database.write(lambda c: rows.delete(c, "event", 1, 20, 100))
    after = await database.usage()
    assert before.used_bytes >= 2_000_000
    assert after.used_bytes < before.used_bytes - 1_900_000
    assert after.file_bytes >= before.used_bytes
    assert not after.full


async def test_the_database_is_durable_by_its_settings(database: Database) -> None:
    def pragmas(connection: sqlite3.Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await database.read(pragmas) == ["wal", 2, 1]
    assert await database.write(pragmas) == ["wal", 2, 1]
