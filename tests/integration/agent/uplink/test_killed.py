"""The sending process is killed with SIGKILL, again and again, and so is the broker."""

import asyncio
import sys
from pathlib import Path

from agent.uplink.state import Stream
from shared.messages.event import Event
from shared.messages.telemetry import decode_body
from tests.agents import IDENTITY, lines_before_kill
from tests.brokers import Broker
from tests.integration.agent.uplink.conftest import close_site, open_site
from tests.integration.agent.uplink.controllers import FakeController


def _run_and_kill(database_file: Path, broker: Broker, lines: int) -> dict[int, int]:
    """The events, by number, that the process said were accepted before it was killed."""
    files = broker.credentials(IDENTITY.node)
    command = [
        sys.executable,
        "-m",
        "tests.integration.agent.uplink.sending",
        str(database_file),
        str(broker.port),
        *map(str, (broker.ca_file, files.certificate_file, files.key_file)),
    ]
    return {int(seq): int(value) for seq, value in lines_before_kill(command, lines)}


async def test_whatever_is_killed_every_accepted_row_is_committed_once(
    tmp_path: Path, broker: Broker, controller: FakeController
) -> None:
    folder = tmp_path / "killed"
    database_file = folder / "agent.db"
    said: dict[int, int] = {}
    for round_number, lines in enumerate((400, 30, 250, 120)):
        controller.acks = round_number != 1
        if round_number == 2:
            broker.kill()
            broker.wipe()
        new = await asyncio.to_thread(_run_and_kill, database_file, broker, lines)
        assert not set(new) & set(said), "a number was given twice"
        said |= new
        if round_number == 2:
            broker.start()
    site = await open_site(folder, broker)
    site.start()
    await site.record(1)
    await site.empty()
    for stream in Stream:
        assert controller.committed(site.database.streams[stream]) == site.accepted(stream)
    events, telemetry = (site.database.streams[stream] for stream in Stream)
    values = {
        seq: Event.decode(body).data["value"]
        for (stream, seq), body in controller.rows.items()
        if stream == events
    }
    assert said.items() <= values.items()
    snapshots = [
        next(iter(decode_body(body).values()))
        for (stream, _), body in controller.rows.items()
        if stream == telemetry
    ]
    assert len(snapshots) >= len(said)
    await close_site(site)
