"""`bes demo`: plays a day on a whole deployment with simulated hardware."""

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from provisioning.demo.children import ChildError
from provisioning.demo.player import Player, Wishes

_SPEED = 1_080.0


def main(argv: Sequence[str]) -> int:
    """Exit status: 0 the day was played and nothing lost, 1 otherwise, 130 interrupted."""
    arguments = _parser().parse_args(list(argv))
    if shutil.which("mosquitto") is None and not Path("/usr/sbin/mosquitto").exists():
        sys.stderr.write("bes demo: mosquitto is not installed (Debian package mosquitto)\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="bes-demo-") as folder:
        wishes = Wishes(Path(folder), arguments.speed, arguments.port, _say)
        try:
            return asyncio.run(_run(wishes, arguments.json, leave=arguments.exit))
        except (ChildError, TimeoutError) as error:
            sys.stderr.write(f"bes demo: {error}\n")
            return 1


async def _run(wishes: Wishes, report: Path | None, *, leave: bool) -> int:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if task is not None:
        # Also where this process was started with SIGINT ignored, as a shell's background jobs are.
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
    player = Player(wishes)
    try:
        summary = await player.play()
        text = json.dumps(summary, indent=2)
        if report is not None:
            await asyncio.to_thread(report.write_text, f"{text}\n", encoding="utf-8")
        _say(text)
        if not leave:
            _say("the day is over; the page stays until Ctrl-C")
            await player.watch()
    except asyncio.CancelledError:
        return 130
    finally:
        await player.stop()
    whole = summary["rows_lost"] == summary["rows_duplicated"] == 0
    return 0 if whole and summary["rows_measured"] == summary["rows_committed"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bes demo", description=__doc__)
    parser.add_argument(
        "--speed", type=float, default=_SPEED, help="how many times faster than it was"
    )
    parser.add_argument("--port", type=int, default=8080, help="of the page, on 127.0.0.1")
    parser.add_argument("--exit", action="store_true", help="end after the day")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the summary there")
    return parser


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
