"""The demonstration plays its day, loses nothing, and leaves nothing running."""

import json
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import psutil

from tests.brokers import free_port

BES = Path(sys.executable).parent / "bes"
PATIENCE_S = 300.0


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Starts `bes demo` on a free port."""
    return subprocess.Popen(
        [str(BES), "demo", "--port", str(free_port()), *arguments],
        stdout=(folder / "out").open("w"),
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_a_fast_day_ends_with_every_row_committed_once(tmp_path: Path) -> None:
    report = tmp_path / "day.json"
    demo = start(tmp_path, "--exit", "--speed", "3600", "--json", str(report))
    status = demo.wait(PATIENCE_S)
    assert status == 0, (tmp_path / "out").read_text()[-2_000:]
    day = json.loads(report.read_text())
    assert day["rows_measured"] == day["rows_committed"] > 1_000
    assert day["rows_lost"] == day["rows_duplicated"] == 0
    assert day["commands"] == sum(day["commands_by_state"].values()) > 0
    assert day["decisions"] > 10
    assert day["curtailments"] > 24
    assert 0 < Decimal(day["energy_mwh"]) < Decimal("1.93")
    assert Decimal(day["cost_usd"]) < Decimal(day["always_on_cost_usd"])
    assert Decimal(day["margin_usd"]) > Decimal(day["always_on_margin_usd"])


def test_an_interrupt_ends_every_child(tmp_path: Path) -> None:
    demo = start(tmp_path)
    deadline = time.monotonic() + PATIENCE_S
    children: list[psutil.Process] = []
    while len(children) < 3 and time.monotonic() < deadline:
        children = psutil.Process(demo.pid).children(recursive=True)
        time.sleep(0.1)
    assert len(children) >= 3, (tmp_path / "out").read_text()
    demo.send_signal(signal.SIGINT)
    assert demo.wait(PATIENCE_S) == 130
    assert not [child for child in children if child.is_running()]
