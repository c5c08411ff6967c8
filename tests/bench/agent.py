"""One agent with 1,000 simulated miners: memory, processor, lateness, decisions, commands.

`python -m tests.bench.agent --json FILE` runs `bes agent run` as a process of its own against
miners of the four families in another process and a real mosquitto with TLS; a few lines stand in
for the controller and ack. All of it shares the machine, and so do the figures.

- memory: the highest resident size of the agent's process (VmHWM);
- processor: its own user and system time, from the first full interval on, as a share of one core;
- lateness: how long after they were due its polls began (upper end of the histogram's bucket);
- decision: `agent.site.curtailment.decide` on 1,000 miners of 8 models with a forecast, in here,
  with what was loaded at the start frozen out of the garbage collector as the agent does it;
- command: from publishing a signed command to receiving `accepted`, both in this process.
"""

import argparse
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil
import tomli_w
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.site.curtailment import decide
from agent.site.situation import Earnings, Limits, MinerState, Price, Profile, RunPoint, Situation
from shared.messages.actions import SetSetpoint
from shared.messages.command import Command, sign
from shared.messages.event import Event, EventKind
from shared.messages.topics import Channel
from shared.price.forecast import Forecast, HorizonForecast
from shared.setpoints import PowerLimit, Run, Setpoint, Stop
from tests.bench.report import Case, show, write
from tests.brokers import HOST, Broker, running_broker
from tests.integration.agent.uplink.controllers import FakeController

NODE = "site-a-01"
KEY_ID = b"bench"
INTERVAL_S = 10.0
_QUARTER_MS = 900_000
_START_WITHIN_S = 240.0
_COMMAND_WITHIN_S = 60.0


class TimingController(FakeController):
    """Notes when each command's `accepted` came; keeps no rows."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self.accepted_s: dict[str, float] = {}
        self.rows_taken = 0

    def _commit(self, stream: int, rows: dict[int, bytes]) -> Any:
        now_s = time.perf_counter()
        if self.births and stream == self.event_stream:
            for body in rows.values():
                event = Event.decode(body)
                if event.kind is EventKind.REPLY and event.data["state"] == "accepted":
                    self.accepted_s.setdefault(event.data["command_id"], now_s)
        self.rows_taken += len(rows)
        ack = super()._commit(stream, rows)
        self.rows.clear()
        self.deliveries.clear()
        self.historical.clear()
        return ack

    @property
    def event_stream(self) -> int:
        """The node's event stream, by its newest birth."""
        return next(reversed(self.births.values())).streams["event"]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asked for."""

    miners: int
    seconds: float
    commands: int


def decision_ms(count: int, runs: int = 300) -> list[float]:
    """Milliseconds of decisions on `count` miners."""
    rng = random.Random(1)
    kinds = [
        Profile(
            tuple(RunPoint(PowerLimit(w), w, w * 1_000 // j) for w in (2_000, 2_500, 3_000, 3_500)),
            45,
        )
        for j in (17, 18, 20, 22, 25, 28, 31, 38)
    ]
    now_ms = 2_000_000 * _QUARTER_MS
    setpoints: list[Setpoint] = [Stop(), PowerLimit(2_000), PowerLimit(3_500)]
    limits = Limits(
        min_on_ms=2 * _QUARTER_MS,
        min_off_ms=_QUARTER_MS,
        ramp_up_w=500_000,
        ramp_down_w=800_000,
        must_run_w=100_000,
        site_cap_w=2_900_000,
        restart_cost_usd=Decimal("0.05"),
    )
    taken = []
    gc.collect()
    gc.freeze()
    for _ in range(runs):
        miners = tuple(
            MinerState(
                f"miner-{n}",
                kinds[n % len(kinds)],
                rng.choice(setpoints),
                now_ms - rng.randrange(8 * _QUARTER_MS),
                locked_out=rng.random() < 0.02,
                reachable=rng.random() < 0.97,
            )
            for n in range(count)
        )
        forecast = Forecast(
            now_ms,
            tuple(
                HorizonForecast(
                    now_ms + n * _QUARTER_MS,
                    now_ms + (n + 1) * _QUARTER_MS,
                    {0.1: 20.0, 0.5: 60.0 + rng.random() * 60, 0.9: 150.0 + rng.random() * 400},
                )
                for n in range(8)
            ),
        )
        price = Price(now_ms - _QUARTER_MS, now_ms, Decimal(rng.randrange(20, 200)))
        situation = Situation(miners, price, forecast, Earnings(Decimal("0.055")), limits)
        begun_s = time.perf_counter()
        decide(situation, now_ms)
        taken.append((time.perf_counter() - begun_s) * 1_000)
    return taken


@contextmanager
def miners(count: int, folder: Path) -> Iterator[list[dict[str, Any]]]:
    """Simulated miners in a process of their own; their tables."""
    password_file = folder / "device-password"
    password_file.write_text("throw-away\n")
    arguments = ["--count", str(count), "--password-file", str(password_file)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.miners", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a process without pipes")
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(60)


@contextmanager
def agent(
    folder: Path, broker: Broker, key: Ed25519PrivateKey, devices: list[dict[str, Any]]
) -> Iterator[psutil.Process]:
    """`bes agent run` on these devices."""
    public = folder / "command-key.pem"
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    credentials = broker.credentials(NODE)
    config = {
        "node": NODE,
        "data_dir": str(folder / "agent"),
        "log_level": "warning",
        "broker": {
            "host": HOST,
            "port": broker.port,
            "ca_file": str(broker.ca_file),
            "certificate_file": str(credentials.certificate_file),
            "key_file": str(credentials.key_file),
        },
        "commands": {"trusted_keys": {KEY_ID.hex(): str(public)}},
        "status": {"port": 0},
        "collect": {"interval_s": INTERVAL_S, "deadline_s": 8.0},
        "curtailment": {"hashprice_usd_per_th_day": "0.055", "settle_s": 5.0, "safe_mode": "hold"},
        "device": devices,
    }
    file = folder / "agent.toml"
    file.write_text(tomli_w.dumps(config))
    bes = Path(sys.executable).with_name("bes")
    log = folder / "agent.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(bes), "agent", "run", "--config", str(file)], stdout=out, stderr=out
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(90)


def wait_until_all_are_read(folder: Path, count: int) -> None:
    """Returns once every miner was read; TimeoutError with the agent's log otherwise."""
    deadline_s = time.monotonic() + _START_WITHIN_S
    read = 0
    while time.monotonic() < deadline_s:
        time.sleep(2.0)
        address = folder / "agent" / "status-address"
        if not address.exists():
            continue
        devices = status(folder)["site"]["devices"]
        read = sum(device["read_ms"] is not None for device in devices)
        if read >= count:
            return
    log = (folder / "agent.log").read_text()[-2_000:]
    raise TimeoutError(f"{read} of {count} miners were read; the agent said: {log}")


def status(folder: Path) -> dict[str, Any]:
    """The agent's own report."""
    address = (folder / "agent" / "status-address").read_text().strip().rstrip("/")
    with urllib.request.urlopen(f"{address}/status.json", timeout=30) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
    return found


def give_commands(
    controller: TimingController, key: Ed25519PrivateKey, wishes: Wishes
) -> list[float]:
    """Spreads commands over the run; milliseconds from publishing to `accepted` of each."""
    sent_s: dict[str, float] = {}
    pause_s = wishes.seconds / max(1, wishes.commands)
    begun_s = time.monotonic()
    for number in range(wishes.commands):
        time.sleep(max(0.0, begun_s + (number + 0.5) * pause_s - time.monotonic()))
        now_ms = time.time_ns() // 1_000_000
        command = Command(
            id=uuid.uuid4().hex,
            node=NODE,
            stream=controller.event_stream,
            seq=number + 1,
            actor="bench",
            issued_at_ms=now_ms,
            not_before_ms=now_ms,
            expires_at_ms=now_ms + 600_000,
            action=SetSetpoint(f"miner-{number * 7 % wishes.miners:04}", Run()),
        )
        message = sign(command, key, KEY_ID)
        sent_s[command.id] = time.perf_counter()
        controller.send(NODE, Channel.COMMAND, message)
    deadline_s = time.monotonic() + _COMMAND_WITHIN_S
    while len(controller.accepted_s) < len(sent_s) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    time.sleep(max(0.0, begun_s + wishes.seconds - time.monotonic()))
    return [(at_s - sent_s[which]) * 1_000 for which, at_s in controller.accepted_s.items()]


def measure(wishes: Wishes, folder: Path) -> list[Case]:
    """Runs it all once."""
    key = Ed25519PrivateKey.generate()
    with miners(wishes.miners, folder) as devices, running_broker(folder / "broker") as broker:
        controller = TimingController(broker)
        controller.start()
        try:
            with agent(folder, broker, key, devices) as process:
                wait_until_all_are_read(folder, wishes.miners)
                before, begun_s, rows = process.cpu_times(), time.monotonic(), controller.rows_taken
                latencies = give_commands(controller, key, wishes)
                after, lasted_s = process.cpu_times(), time.monotonic() - begun_s
                rows = controller.rows_taken - rows
                facts = dict(status(folder)["site"]["facts"])
                peak_kib = _peak_kib(process.pid)
        finally:
            controller.stop()
    used_s = after.user + after.system - before.user - before.system
    found = [
        Case(f"memory, {wishes.miners} miners, highest", peak_kib / 1024, "MB"),
        Case("processor, share of one core", 100 * used_s / lasted_s, "%"),
        Case("poll lateness p99, at most", float(facts["poll lateness p99"].split()[0]), "s"),
        Case(
            "decision in the agent, safe mode, p99, at most",
            float(facts["decision p99"].split()[0]) * 1_000,
            "ms",
        ),
        Case("rows committed", rows / lasted_s, "rows/s"),
        Case("commands accepted", float(len(latencies)), f"of {wishes.commands}"),
    ]
    if len(latencies) >= 2:
        found.append(Case("command to accepted p50", median(latencies), "ms"))
        found.append(Case("command to accepted p99", quantiles(latencies, n=100)[98], "ms"))
    return found


def _peak_kib(pid: int) -> int:
    """The highest resident size of a process so far (proc(5), VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise RuntimeError("no VmHWM in the process's status")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.agent", description=__doc__)
    parser.add_argument("--json", type=Path, help="where to write the report")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--miners", type=int, default=1_000)
    parser.add_argument("--commands", type=int, default=150)
    options = parser.parse_args(arguments)
    taken = decision_ms(options.miners)
    found = [
        Case(f"decision over {options.miners} miners p50", median(taken), "ms"),
        Case(f"decision over {options.miners} miners p99", quantiles(taken, n=100)[98], "ms"),
    ]
    with tempfile.TemporaryDirectory(prefix="bes-bench-") as folder:
        wishes = Wishes(options.miners, options.seconds, options.commands)
        found += measure(wishes, Path(folder))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end")
    print(show(found))
    if options.json:
        write(options.json, "agent", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
