"""Snapshots of 33 metrics committed per second by the real controller, over MQTT with TLS.

Each case runs `bes controller run --role ingest` as a process of its own against a real mosquitto
and a fresh database, sends batches as nodes do (a window of them unacked) and stops the clock when
the last row is acked, which is after its commit. The floor inserts the same rows with SQLAlchemy
Core into the same table with its indexes, 5,000 a transaction, with no MQTT; floor and case take
turns and the medians are reported. PostgreSQL runs with fsync on, SQLite with synchronous=FULL.
The other cases run every role in the one process: the roll-ups are made meanwhile.
"""

import argparse
import itertools
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from sqlalchemy import func, insert, select

from controller.clock import SystemClock
from controller.storage.engine import Storage
from controller.storage.migrate import migrate
from controller.storage.partitions import Partitions
from controller.storage.tables import births, telemetry
from shared.messages.ack import Ack
from shared.messages.birth import DeviceDeclaration, MetricDeclaration, MetricType
from shared.messages.telemetry import TelemetryBatch, TelemetryRow, encode_body
from shared.messages.topics import Channel, topic
from shared.ranges import RangeSet
from tests.bench.report import Case, beside, show, write
from tests.brokers import CONTROLLER, HOST, Broker, free_port, running_broker
from tests.databases import postgresql_server
from tests.mqtt_client import NodeClient
from tests.nodes import FakeNode, enter_nodes
from tests.waiting import wait_for

NODES = 4
DEVICES = 24
METRICS = 33
ROWS_A_BATCH = 250
WINDOW = 8
FLOOR_GROUP = 5_000
UNIT = "snapshots/s"
_DEADLINE_S = 120.0


@dataclass(frozen=True, slots=True)
class Load:
    """What one node sends: its rows, and the same rows as encoded batches."""

    node: FakeNode
    rows: tuple[TelemetryRow, ...]
    batches: tuple[bytes, ...]


def make_load(index: int, rows: int) -> Load:
    """Rows as a fleet of miners has them: floats that differ, one row a device and second."""
    chance = random.Random(index)
    node = FakeNode(
        name=f"site-{index:02}",
        telemetry_stream=1_000 + index,
        event_stream=2_000 + index,
        devices=tuple(
            DeviceDeclaration(alias, f"miner-{alias:02}", "miner", "antminer")
            for alias in range(DEVICES)
        ),
        metrics=tuple(
            MetricDeclaration(alias, f"metric_{alias:02}", "", MetricType.FLOAT)
            for alias in range(METRICS)
        ),
    )
    start_ms = SystemClock().now_ms() - rows * 1_000 // DEVICES
    made = tuple(
        TelemetryRow(
            seq=seq,
            time_ms=start_ms + seq * 1_000 // DEVICES,
            device=seq % DEVICES,
            body=encode_body({alias: chance.uniform(0, 5_000) for alias in range(METRICS)}),
        )
        for seq in range(1, rows + 1)
    )
    batches = tuple(
        TelemetryBatch(node.telemetry_stream, 1, False, made[begin : begin + ROWS_A_BATCH]).encode()
        for begin in range(0, rows, ROWS_A_BATCH)
    )
    return Load(node, made, batches)


def time_floor(url: str, loads: Sequence[Load]) -> float:
    """Rows per second inserted directly; devices have the aliases for ids, nothing else differs."""
    storage = Storage(url)
    migrate(storage)
    records = [
        {
            "stream": load.node.telemetry_stream,
            "seq": row.seq,
            "time_ms": row.time_ms,
            "device_id": row.device,
            "birth": 1,
            "body": row.body,
        }
        for load in loads
        for row in load.rows
    ]
    Partitions(storage).ensure(
        (r.time_ms for load in loads for r in load.rows), SystemClock().now_ms()
    )
    begin = time.perf_counter()
    for start in range(0, len(records), FLOOR_GROUP):
        with storage.write() as conn:
            conn.execute(insert(telemetry), records[start : start + FLOOR_GROUP])
    rate = len(records) / (time.perf_counter() - begin)
    storage.close()
    return rate


def time_ingest(url: str, broker: Broker, folder: Path, loads: Sequence[Load], role: str) -> float:
    """Rows per second from the first publish to the last ack."""
    storage = Storage(url)
    migrate(storage)
    enter_nodes(storage, SystemClock(), *(load.node.name for load in loads))
    Partitions(storage).ensure(
        (row.time_ms for load in loads for row in load.rows), SystemClock().now_ms()
    )
    clients = [NodeClient(broker, load.node.name) for load in loads]
    try:
        with controller_process(url, broker, folder, role):
            for client, load in zip(clients, loads, strict=True):
                born = load.node.born()
                client.publish(born.topic, born.payload, retain=True)
            wait_for(lambda: count_births(storage) == len(loads), "the births", _DEADLINE_S)
            begin = time.perf_counter()
            send_all(clients, loads)
            seconds = time.perf_counter() - begin
    finally:
        for client in clients:
            client.close()
    total = sum(len(load.rows) for load in loads)
    check_committed(storage, total)
    storage.close()
    return total / seconds


def send_all(clients: Sequence[NodeClient], loads: Sequence[Load]) -> None:
    """Keeps a window of unacked batches on the way for each node until all is acked."""
    acked = {load.node.name: RangeSet() for load in loads}
    sent = dict.fromkeys(acked, 0)
    deadline = time.monotonic() + _DEADLINE_S
    while True:
        for client, load in zip(clients, loads, strict=True):
            name = load.node.name
            while not client.inbox.empty():
                ack = Ack.decode(client.inbox.get()[1])
                for one in ack.ranges:
                    acked[name] = acked[name].add(one.first, one.last)
            done = len(acked[name]) // ROWS_A_BATCH
            while sent[name] < min(len(load.batches), done + WINDOW):
                client.publish(topic(name, Channel.TELEMETRY), load.batches[sent[name]])
                sent[name] += 1
        if all(len(acked[load.node.name]) == len(load.rows) for load in loads):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"acked {[len(numbers) for numbers in acked.values()]}")
        time.sleep(0.001)


def count_births(storage: Storage) -> int:
    """How many births the controller has taken."""
    with storage.read() as conn:
        return len(conn.execute(select(births.c.number)).all())


def check_committed(storage: Storage, total: int) -> None:
    """Every row is there once, or the figure would be worth nothing."""
    with storage.read() as conn:
        stored = conn.scalar(select(func.count()).select_from(telemetry))
    if stored != total:
        raise RuntimeError(f"{stored} rows are stored, {total} were sent")


@contextmanager
def controller_process(url: str, broker: Broker, folder: Path, role: str) -> Iterator[None]:
    """The controller as its command starts it, ready within the block."""
    port = free_port()
    config = folder / f"controller-{uuid.uuid4().hex}.toml"
    credentials = broker.credentials(CONTROLLER)
    token_file = folder / "token"
    token_file.write_text("t" * 40)
    config.write_text(
        f'''[database]
url = "{url}"
[http]
port = {port}
token_file = "{token_file}"
[broker]
host = "{HOST}"
port = {broker.port}
ca_file = "{broker.ca_file}"
certificate_file = "{credentials.certificate_file}"
key_file = "{credentials.key_file}"
'''
    )
    command = [sys.executable, "-c", "from controller.cli import main; import sys; sys.exit(main("]
    command[-1] += f"['run', '--config', {str(config)!r}, '--role', {role!r}]))"
    with (folder / "controller.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(lambda: is_ready(process, port), "the controller to be ready", _DEADLINE_S)
        yield
    finally:
        process.terminate()
        process.wait(60)


def is_ready(process: "subprocess.Popen[bytes]", port: int) -> bool:
    """Whether it answers that it is; RuntimeError when it has ended."""
    if process.poll() is not None:
        raise RuntimeError(f"the controller ended with {process.returncode}")
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=10) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


def measure(
    name: str,
    fresh_url: Callable[[], str],
    broker_folder: Path,
    loads: Sequence[Load],
    repeats: int,
) -> list[Case]:
    """Floor, ingest alone and ingest beside the other roles take turns; medians."""
    floors: list[float] = []
    rates: dict[str, list[float]] = {"ingest": [], "all": []}
    for turn in range(repeats):
        floors.append(time_floor(fresh_url(), loads))
        for role, found in rates.items():
            folder = broker_folder / f"{name}-{turn}-{role}"
            with running_broker(folder) as broker:
                found.append(time_ingest(fresh_url(), broker, folder, loads, role))
    floor = statistics.median(floors)
    return [
        beside(name, statistics.median(rates["ingest"]), UNIT, floor),
        beside(f"{name}, roll-ups meanwhile", statistics.median(rates["all"]), UNIT, floor),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs both databases and writes the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ingest", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, metavar="FILE")
    parser.add_argument("--rows", type=int, default=80_000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args(argv)
    rows_a_node = arguments.rows // NODES // ROWS_A_BATCH * ROWS_A_BATCH
    if rows_a_node < ROWS_A_BATCH or arguments.repeats < 1:
        parser.error(f"at least {NODES * ROWS_A_BATCH} rows and one repeat")
    loads = [make_load(index, rows_a_node) for index in range(NODES)]
    with tempfile.TemporaryDirectory(prefix="bes-bench-") as temporary:
        folder = Path(temporary)
        files = itertools.count()
        cases = measure(
            "sqlite",
            lambda: f"sqlite:///{folder / f'{next(files)}.db'}",
            folder,
            loads,
            arguments.repeats,
        )
        with postgresql_server(durable=True) as server:
            cases += measure(
                "postgresql",
                lambda: server.url(server.create()),
                folder,
                loads,
                arguments.repeats,
            )
    write(arguments.json, "ingest", cases)
    sys.stdout.write(show(cases) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
