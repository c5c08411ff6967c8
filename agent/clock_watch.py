"""Notices that the wall clock was set and tells it as an event; sequence numbers do not care."""

import asyncio

import structlog

from agent.clock import JUMP_TOLERANCE_MS, Clock, clock_jump_ms, read_clocks
from agent.database import StorageError
from agent.recorder import Recorder
from shared.messages.event import Event, EventKind, Severity

log = structlog.get_logger(__name__)


async def watch_clock(
    clock: Clock,
    recorder: Recorder,
    *,
    rate: float = 1.0,
    every_s: float = 2.0,
    tolerance_ms: int = JUMP_TOLERANCE_MS,
) -> None:
    """Runs for ever; records an `agent` event {"what": "clock_jump", "by_ms"} for each step.

    `rate` is the scale's rate of business time; `by_ms` is in real milliseconds, positive forwards.
    While the event cannot be recorded, steps are added up.
    """
    before = read_clocks(clock)
    untold_ms = 0
    while True:
        await asyncio.sleep(every_s)
        after = read_clocks(clock)
        if after is None:
            continue
        jump_ms = None if before is None else clock_jump_ms(before, after, rate, tolerance_ms)
        before = after
        if jump_ms is not None:
            log.warning("the wall clock was set", by_ms=jump_ms)
            untold_ms += jump_ms
        if untold_ms and await _tell(recorder, untold_ms):
            untold_ms = 0


async def _tell(recorder: Recorder, by_ms: int) -> bool:
    data = {"what": "clock_jump", "by_ms": by_ms}
    try:
        await recorder.event(Event(EventKind.AGENT, Severity.WARNING, data))
    except StorageError as error:
        log.warning("a clock jump could not be recorded yet", error=str(error))
        return False
    return True
