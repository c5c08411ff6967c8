"""A process that records and sends until it is killed, and says on stdout what was accepted.

Run as `python -m tests.integration.agent.uplink.sending DATABASE PORT CA CERTIFICATE KEY`; one line
an event: "SEQ VALUE".
"""

import asyncio
import sys
from pathlib import Path

import structlog

from agent.clock import SystemClock
from agent.database import Database
from agent.recorder import Recorder
from agent.uplink.link import BrokerAddress
from agent.uplink.state import PlanSettings
from agent.uplink.uplink import Uplink, UplinkSettings
from shared.messages.event import Event, EventKind, Severity
from tests.agents import IDENTITY, MINERS, NOON_MS, POWER
from tests.brokers import HOST


async def main(database_file: Path, address: BrokerAddress) -> None:
    """Runs until it is killed."""
    database = await Database.open(database_file)
    recorder = await Recorder.open(database, SystemClock(), IDENTITY)
    await recorder.declare(MINERS)
    settings = UplinkSettings(address, IDENTITY, PlanSettings(resend_after_s=1.0))
    running = asyncio.create_task(Uplink(database, SystemClock(), settings).run())
    value = 0
    while not running.done():
        value += 1
        await recorder.snapshot("miner-0", NOON_MS + value, [(POWER, float(value))])
        data = {"what": "counted", "value": value}
        seq = await recorder.event(Event(EventKind.AGENT, Severity.INFO, data))
        sys.stdout.write(f"{seq} {value}\n")
        sys.stdout.flush()
        await asyncio.sleep(0.002)
    await running


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    _, database_text, port, *files = sys.argv
    ca_file, certificate_file, key_file = map(Path, files)
    broker = BrokerAddress(HOST, int(port), ca_file, certificate_file, key_file)
    asyncio.run(main(Path(database_text), broker))
