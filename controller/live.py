"""The live stream: one reader of `changes` a process, any number of listeners.

The reader polls the database by id, so that it sees what other replicas commit too; a wake-up
from this process makes it look at once. Listeners have cursors of their own and read from memory;
one that fell behind what is kept in memory reads from the database.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator

import structlog
from sqlalchemy.exc import SQLAlchemyError

from controller.changes import Change, changes_after, newest_change
from controller.storage.engine import Storage

_KEPT = 10_000
_log = structlog.get_logger()


class LiveFeed:
    """Fans changes out within one event loop. `start` and `stop` are called by the application."""

    def __init__(self, storage: Storage, poll_s: float = 0.25) -> None:
        self._storage = storage
        self._poll_s = poll_s
        self._recent: deque[Change] = deque(maxlen=_KEPT)
        self._newest = 0
        self._news: asyncio.Condition | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Begins to read; changes committed before are not told."""
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Condition()
        self._newest = await asyncio.to_thread(self._read_newest)
        self._thread = threading.Thread(target=self._run, name="live-feed", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Ends the reader; listeners end too."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        if self._news is not None:
            async with self._news:
                self._news.notify_all()

    def wake(self) -> None:
        """Look now; from any thread, after a commit of this process."""
        self._wake.set()

    @property
    def cursor(self) -> int:
        """The id of the newest change that was told."""
        return self._newest

    async def changes(self, after: int | None = None) -> AsyncIterator[list[Change]]:
        """Lists of changes (never empty), oldest first, from after a cursor; None: from now.

        Ends when the feed stops.
        """
        if self._news is None:
            raise RuntimeError("the live feed has not been started")
        cursor = self._newest if after is None else after
        while not self._stopping.is_set():
            if cursor < self._newest:
                told = await self._since(cursor)
                if told:
                    cursor = told[-1].id
                    yield told
                    continue
                cursor = self._newest
            async with self._news:
                await self._news.wait_for(
                    lambda: self._stopping.is_set() or self._newest > cursor  # noqa: B023
                )

    async def _since(self, cursor: int) -> list[Change]:
        recent = list(self._recent)
        if recent and recent[0].id <= cursor + 1:
            return [change for change in recent if change.id > cursor]
        return await asyncio.to_thread(self._read_after, cursor)

    def _read_after(self, cursor: int) -> list[Change]:
        with self._storage.read() as conn:
            return changes_after(conn, cursor)

    def _read_newest(self) -> int:
        with self._storage.read() as conn:
            return newest_change(conn)

    def _run(self) -> None:
        cursor = self._newest
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                found = self._read_after(cursor)
            except SQLAlchemyError as error:
                _log.warning("live feed cannot read", error=str(error)[:200])
                found = []
            if found:
                cursor = found[-1].id
                self._hand_over(found)
                continue
            self._wake.wait(self._poll_s)

    def _hand_over(self, found: list[Change]) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._tell(found), loop)

    async def _tell(self, found: list[Change]) -> None:
        if self._news is None:
            return
        async with self._news:
            self._recent.extend(found)
            self._newest = found[-1].id
            self._news.notify_all()
