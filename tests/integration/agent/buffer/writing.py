"""A process that records until it is killed, and says on stdout what was accepted.

Run as `python -m tests.integration.agent.buffer.writing DATABASE`; one line a row:
"telemetry SEQ VALUE" or "event SEQ VALUE".
"""

import asyncio
import sys
from pathlib import Path

import structlog

from agent.clock import SystemClock
from agent.database import Database
from agent.recorder import Recorder
from shared.messages.event import Event, EventKind, Severity
from tests.agents import IDENTITY, MINERS, NOON_MS, POWER


async def _record(recorder: Recorder, worker: int) -> None:
    value = worker
    while True:
        await recorder.snapshot(f"miner-{worker}", NOON_MS + value, [(POWER, float(value))])
        data = {"what": "counted", "value": value}
        seq = await recorder.event(Event(EventKind.AGENT, Severity.INFO, data))
        sys.stdout.write(f"event {seq} {value}\ntelemetry 0 {value}\n")
        sys.stdout.flush()
        value += len(MINERS)


async def main(path: Path) -> None:
    """Records with several tasks at once, so that groups have several rows."""
    database = await Database.open(path)
    recorder = await Recorder.open(database, SystemClock(), IDENTITY)
    await recorder.declare(MINERS)
    await asyncio.gather(*[_record(recorder, n) for n in range(len(MINERS))])


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main(Path(sys.argv[1])))
