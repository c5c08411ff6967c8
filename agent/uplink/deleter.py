"""Deletes what is acked, in small transactions, and keeps at it while the disk refuses."""

import asyncio
import sqlite3
from functools import partial

import structlog

from agent.buffer import rows
from agent.database import Database, StorageError
from agent.uplink.state import Stream
from shared.ranges import RangeSet

log = structlog.get_logger(__name__)

_SPANS_A_WRITE = 64
_ROWS_A_WRITE = 2_000
_RETRY_AFTER_S = 1.0


class Deleter:
    """Holds only ranges; what is not deleted when the process ends is acked again when re-sent."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._doomed: dict[Stream, RangeSet] = {stream: RangeSet() for stream in Stream}
        self._work = asyncio.Event()
        self.idle = asyncio.Event()
        """Set while nothing is to be deleted."""
        self.idle.set()
        self.deleted = 0
        """Rows deleted because they were acked, since this process started."""

    def add(self, stream: Stream, acked: RangeSet) -> None:
        """These rows are acked."""
        self._doomed[stream] = self._doomed[stream].union(acked)
        self.idle.clear()
        self._work.set()

    async def run(self) -> None:
        """Deletes for ever."""
        while True:
            await self._work.wait()
            self._work.clear()
            for stream in Stream:
                while self._doomed[stream]:
                    await self._delete_some(stream)
            if not any(self._doomed.values()):
                self.idle.set()

    async def _delete_some(self, stream: Stream) -> None:
        spans = self._doomed[stream].spans[:_SPANS_A_WRITE]
        try:
            deleted, done = await self._database.write(
                partial(delete_spans, stream=stream, spans=spans), frees_space=True
            )
        except StorageError as error:
            log.warning("acked rows could not be deleted yet", error=str(error))
            await asyncio.sleep(_RETRY_AFTER_S)
            return
        self.deleted += deleted
        self._doomed[stream] = self._doomed[stream].difference(done)


def delete_spans(
    connection: sqlite3.Connection, stream: Stream, spans: tuple[tuple[int, int], ...]
) -> tuple[int, RangeSet]:
    """Deletes rows of the spans, a bounded number at once: how many, and which spans are done."""
    deleted = 0
    for index, (first, last) in enumerate(spans):
        most = _ROWS_A_WRITE - deleted
        count = rows.delete(connection, stream, first, last, most)
        deleted += count
        if count == most:
            return deleted, RangeSet(spans[:index])
    return deleted, RangeSet(spans)
