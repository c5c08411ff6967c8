"""Keeps the buffer within its disk budget and brings it back after the disk was full."""

import asyncio
from dataclasses import dataclass

import structlog

from agent.buffer.errors import StorageError
from agent.buffer.thinning import thin
from agent.clock import Clock
from agent.database import Database
from agent.recorder import Recorder

log = structlog.get_logger(__name__)

_LOW_WATER = 0.95
_COMPLAIN_EVERY = 300


@dataclass(frozen=True, slots=True)
class KeeperStatus:
    """For the status page; counts are since this process started."""

    used_bytes: int
    budget_bytes: int
    disk_full: bool
    rows_thinned: int
    reports: int


class Keeper:
    """See the module. `run` is to be supervised; `make_room` is what the recorder asks."""

    def __init__(
        self,
        database: Database,
        recorder: Recorder,
        clock: Clock,
        budget_bytes: int,
        every_s: float = 1.0,
    ) -> None:
        self._database = database
        self._recorder = recorder
        self._clock = clock
        self._budget_bytes = budget_bytes
        self._every_s = every_s
        self._thinning = asyncio.Lock()
        self._complaints = 0
        self._status = KeeperStatus(0, budget_bytes, disk_full=False, rows_thinned=0, reports=0)
        self._rows_thinned = 0
        self._reports = 0
        recorder.make_room = self.make_room

    @property
    def status(self) -> KeeperStatus:
        """As of the last look."""
        return self._status

    async def run(self) -> None:
        """Looks after the disk for ever."""
        while True:
            try:
                await self.look()
            except StorageError as error:
                log.warning("the disk could not be looked after", error=str(error))
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """Thins while the budget is exceeded, then lets in what waited for space."""
        usage = await self._database.usage()
        if usage.used_bytes > self._budget_bytes:
            target = int(self._budget_bytes * _LOW_WATER)
            while usage.used_bytes > target and await self._thin():
                usage = await self._database.usage()
        if usage.full:
            await self._database.restore_space()
        if self._recorder.held or self._recorder.refused:
            released = await self._recorder.release_held()
            if not released and await self.make_room():
                await self._recorder.release_held()
        self._status = KeeperStatus(
            usage.used_bytes, self._budget_bytes, usage.full, self._rows_thinned, self._reports
        )
        self._complain(over=usage.used_bytes > self._budget_bytes)

    async def make_room(self) -> bool:
        """Thins one range on a full disk; whether that, or somebody else's, made room."""
        before = self._reports
        async with self._thinning:
            if self._reports != before:
                return True
            try:
                return await self._thin_locked()
            except StorageError as error:
                log.warning("no room could be made", error=str(error))
                return False

    async def _thin(self) -> bool:
        async with self._thinning:
            return await self._thin_locked()

    async def _thin_locked(self) -> bool:
        count = await thin(self._database, self._clock, self._budget_bytes)
        if count:
            self._rows_thinned += count
            self._reports += 1
            log.warning("old telemetry was replaced by a gap report", rows=count)
        return count > 0

    def _complain(self, *, over: bool) -> None:
        if not over:
            self._complaints = 0
            return
        if self._complaints % _COMPLAIN_EVERY == 0:
            log.error("the disk budget is exceeded and nothing is left to thin")
        self._complaints += 1
