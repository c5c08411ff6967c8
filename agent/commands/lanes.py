"""One lane a device: jobs of one lane run in order, lanes run beside each other."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

Job = Callable[[], Awaitable[None]]

log = structlog.get_logger(__name__)


class Lanes:
    """Use from one event loop only. A lane exists while it has jobs."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Job]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._closed = False
        self.crashes = 0
        """Jobs that ended with an exception; each was logged and its lane went on."""

    def submit(self, lane: str, job: Job) -> None:
        """Puts a job at the end of a lane. After `close` it is not run."""
        if self._closed:
            return
        self._waiting.setdefault(lane, deque()).append(job)
        if lane not in self._workers:
            self._workers[lane] = asyncio.create_task(self._work(lane), name=f"lane {lane}")

    async def idle(self) -> None:
        """Returns once no lane has a job."""
        while self._workers:
            await asyncio.wait(set(self._workers.values()))

    async def close(self, grace_s: float) -> None:
        """Starts no further job, gives running ones `grace_s`, then cancels them."""
        self._closed = True
        for jobs in self._waiting.values():
            jobs.clear()
        workers = set(self._workers.values())
        if not workers:
            return
        _, late = await asyncio.wait(workers, timeout=grace_s)
        for worker in late:
            worker.cancel()
        if late:
            await asyncio.wait(late, timeout=grace_s)

    async def _work(self, lane: str) -> None:
        jobs = self._waiting[lane]
        try:
            while jobs:
                await self._run(lane, jobs.popleft())
        finally:
            del self._workers[lane]
            del self._waiting[lane]

    async def _run(self, lane: str, job: Job) -> None:
        running = asyncio.ensure_future(job())
        try:
            await asyncio.wait({running})
        finally:
            if not running.done():
                running.cancel()
                await asyncio.wait({running})
        error = None if running.cancelled() else running.exception()
        if error is not None:
            self.crashes += 1
            log.error("a command's job crashed", lane=lane, exc_info=error)
