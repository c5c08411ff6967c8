"""Keeps the agent's tasks alive: restarts what crashes, counts it, and stops all in order."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 60.0
HEALTHY_AFTER_S = 120.0
"""A task that ran this long starts its next life with the first delay again."""

log = structlog.get_logger(__name__)


def restart_delay_s(crashes: int, spread: float) -> float:
    """Seconds to wait before the restart after the `crashes`th crash in a row (from 1).

    Doubles from `FIRST_DELAY_S` to at most `LONGEST_DELAY_S`; `spread` in [0, 1) takes up to half
    of it away, so that what crashed together does not come back together. Pure.
    """
    longest_s = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(crashes - 1, 20))
    return longest_s * (1 - spread / 2)


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One task: `run` is called for each life of it. It ends by returning or being cancelled."""

    name: str
    run: Callable[[], Awaitable[None]]


@dataclass(slots=True)
class TaskHealth:
    """What became of a task so far; `last_crash` is "" when it never crashed."""

    name: str
    running: bool = False
    crashes: int = 0
    last_crash: str = ""


@dataclass(slots=True)
class _Supervised:
    spec: TaskSpec
    health: TaskHealth
    task: asyncio.Task[None] = field(repr=False)


class Supervisor:
    """Runs tasks until it is stopped. Use from one event loop only."""

    def __init__(
        self,
        on_crash: Callable[[TaskHealth], Awaitable[None]] | None = None,
        spread: Callable[[], float] = random.random,
    ) -> None:
        """`on_crash` is told after each crash; `spread` draws the jitter of restarts."""
        self._on_crash = on_crash
        self._spread = spread
        self._supervised: list[_Supervised] = []

    @property
    def health(self) -> tuple[TaskHealth, ...]:
        """How each task fares, in the order of their start."""
        return tuple(item.health for item in self._supervised)

    def start(self, spec: TaskSpec) -> None:
        """Starts a task and keeps it alive."""
        health = TaskHealth(spec.name)
        task = asyncio.create_task(self._keep_alive(spec, health), name=spec.name)
        self._supervised.append(_Supervised(spec, health, task))

    async def stop(self, names: Sequence[str] | None = None, deadline_s: float = 10.0) -> None:
        """Cancels the named tasks (all without names), last started first, and waits for them.

        What does not end within `deadline_s` altogether is named in the log and left behind.
        """
        chosen = [i for i in reversed(self._supervised) if names is None or i.spec.name in names]
        for item in chosen:
            item.task.cancel()
        if not chosen:
            return
        _, pending = await asyncio.wait([item.task for item in chosen], timeout=deadline_s)
        for task in pending:
            log.error("a task did not stop in time", task=task.get_name(), deadline_s=deadline_s)

    async def ended(self, names: Sequence[str], deadline_s: float) -> None:
        """Waits until the named tasks ended by themselves, at most `deadline_s`."""
        chosen = [item.task for item in self._supervised if item.spec.name in names]
        if chosen:
            await asyncio.wait(chosen, timeout=deadline_s)

    async def _keep_alive(self, spec: TaskSpec, health: TaskHealth) -> None:
        loop = asyncio.get_running_loop()
        crashes_in_a_row = 0
        while True:
            started_s = loop.time()
            error = await self._live(spec, health)
            if error is None:
                return
            if loop.time() - started_s >= HEALTHY_AFTER_S:
                crashes_in_a_row = 0
            crashes_in_a_row += 1
            delay_s = restart_delay_s(crashes_in_a_row, self._spread())
            await self._report(health, error, delay_s)
            await asyncio.sleep(delay_s)

    async def _live(self, spec: TaskSpec, health: TaskHealth) -> BaseException | None:
        """One life of a task; the exception it died of. Its cancellation is passed on."""
        life = asyncio.ensure_future(spec.run())
        health.running = True
        try:
            await asyncio.wait({life})
        finally:
            health.running = False
            if not life.done():
                life.cancel()
                await asyncio.wait({life})
                _log_last_words(health.name, life)
        if life.cancelled():
            return asyncio.CancelledError("cancelled itself")
        return life.exception()

    async def _report(self, health: TaskHealth, error: BaseException, delay_s: float) -> None:
        health.crashes += 1
        health.last_crash = f"{type(error).__name__}: {error}"[:300]
        log.error(
            "a task crashed",
            task=health.name,
            crashes=health.crashes,
            restart_in_s=round(delay_s, 2),
            exc_info=error,
        )
        if self._on_crash is None:
            return
        report = asyncio.ensure_future(self._on_crash(health))
        await asyncio.wait({report})
        if not report.cancelled() and report.exception() is not None:
            log.error(
                "a crash could not be reported", task=health.name, why=str(report.exception())
            )


def _log_last_words(name: str, life: asyncio.Future[None]) -> None:
    if not life.cancelled() and life.exception() is not None:
        log.warning("a task failed while it was stopped", task=name, why=str(life.exception()))
