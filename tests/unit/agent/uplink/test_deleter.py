"""Acked rows are deleted, also when the database refuses for a while."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.buffer import rows
from agent.database import Database, StorageFullError
from agent.uplink import deleter as deleter_module
from agent.uplink.deleter import Deleter
from agent.uplink.state import Stream
from shared.ranges import RangeSet
from tests.agents import count, eventually


async def test_acked_rows_go_once_the_database_lets_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleter_module, "_RETRY_AFTER_S", 0.01)
    database = await Database.open(tmp_path / "agent.db")
    for _ in range(10):
        await database.write(lambda c: rows.insert_event(c, 1, b"x"))
    refusals = iter((True, True))
    real_write = database.write

    async def write(fn: Callable[[sqlite3.Connection], object], *, frees_space: bool) -> object:
        assert frees_space, "deleting may use the reserve"
        if next(refusals, False):
            raise StorageFullError("the disk is full")
        return await real_write(fn, frees_space=frees_space)

    monkeypatch.setattr(database, "write", write)
    deleter = Deleter(database)
    running = asyncio.create_task(deleter.run())
    assert deleter.idle.is_set()
    deleter.add(Stream.EVENT, RangeSet(((1, 4),)))
    deleter.add(Stream.EVENT, RangeSet(((3, 6), (9, 9))))
    assert not deleter.idle.is_set()
    await eventually(deleter.idle.is_set)
    assert deleter.deleted == 7
    assert await database.read(lambda c: count(c, "event")) == 3
    running.cancel()
    await database.close()
