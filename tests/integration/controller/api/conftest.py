"""The REST interface over a fresh database, and a small fleet to ask about."""

import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import insert, select

from controller.access.tokens import BearerToken
from controller.api import problems
from controller.api.context import Context
from controller.api.v1 import router
from controller.fleet import aggregate
from controller.fleet.commands import CommandDesk, CommandSigner
from controller.fleet.meaning import Meanings
from controller.live import LiveFeed
from controller.storage import tables
from controller.storage.engine import Storage
from shared.measured import Reason, Scalar, Unknown
from shared.messages.birth import Birth, DeviceDeclaration, MetricDeclaration, MetricType
from shared.messages.event import Event, EventKind, Severity
from shared.messages.gap import Aggregate
from shared.messages.telemetry import encode_body

TOKEN = "t" * 40
NOW_MS = 1_715_169_600_000
MINUTE_MS = 60_000
TELEMETRY, EVENTS = 2**62 + 11, 12
SIGNER = CommandSigner(Ed25519PrivateKey.from_private_bytes(bytes(32)), b"key-1")


@dataclass(slots=True)
class StoppedClock:
    """A clock that a test sets."""

    time_ms: int = NOW_MS

    def now_ms(self) -> int:
        """Business time."""
        return self.time_ms

    def real_ms(self) -> int:
        """Real time."""
        return self.time_ms


@pytest.fixture
def clock() -> StoppedClock:
    """The controller's clock."""
    return StoppedClock()


@pytest.fixture
def application(storage: Storage, clock: StoppedClock) -> FastAPI:
    """The interface as the controller composes it."""
    live = LiveFeed(storage, poll_s=0.05)

    @asynccontextmanager
    async def lifespan(_application: FastAPI) -> AsyncIterator[None]:
        await live.start()
        yield
        await live.stop()

    application = FastAPI(lifespan=lifespan)
    problems.install(application)
    application.include_router(router)
    application.state.context = Context(
        storage=storage,
        clock=clock,
        token=BearerToken(TOKEN.encode()),
        desk=CommandDesk(clock, SIGNER),
        wake=lambda: None,
        live=live,
        meanings=Meanings(),
    )
    return application


@pytest.fixture
def served(application: FastAPI) -> Iterator[str]:
    """The interface behind a real server: its host and port."""
    config = uvicorn.Config(application, host="127.0.0.1", port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)


@pytest.fixture
def stranger(application: FastAPI) -> TestClient:
    """A client without a token."""
    return TestClient(application)


@pytest.fixture
def client(application: FastAPI) -> Iterator[TestClient]:
    """A client that holds the token."""
    with TestClient(application, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


@dataclass(frozen=True, slots=True)
class Fleet:
    """Ids of what the `fleet` fixture made."""

    miner: int
    meter: int
    whole: int


@pytest.fixture
def fleet(storage: Storage) -> Fleet:
    """A site: node "a-01" with a miner, a meter and the site as a whole, and "a-02", unborn."""
    birth = Birth(
        number=1,
        node="a-01",
        boot_id="boot",
        software="0.1.0",
        streams={"telemetry": TELEMETRY, "event": EVENTS},
        devices=(
            DeviceDeclaration(1, "miner-01", "miner", "luxos", {"model": "S19"}),
            DeviceDeclaration(2, "meter-01", "meter", "modbus-meter"),
            DeviceDeclaration(3, "site", "site", "site"),
        ),
        metrics=(
            MetricDeclaration(1, "power_w", "W", MetricType.FLOAT),
            MetricDeclaration(2, "hashrate_ths", "TH/s", MetricType.FLOAT),
            MetricDeclaration(3, "state", "", MetricType.TEXT),
            MetricDeclaration(4, "price_uusd_per_mwh", "µUSD/MWh", MetricType.INT),
            MetricDeclaration(5, "miner_power_w", "W", MetricType.FLOAT),
        ),
    )
    with storage.write() as conn:
        conn.execute(insert(tables.sites).values(id="site-a", name="Site A", created_ms=NOW_MS))
        for node in ("a-01", "a-02"):
            conn.execute(
                insert(tables.nodes).values(name=node, site_id="site-a", created_ms=NOW_MS)
            )
        conn.execute(
            tables.nodes.update()
            .where(tables.nodes.c.name == "a-01")
            .values(
                online=True,
                telemetry_stream=TELEMETRY,
                event_stream=EVENTS,
                birth_number=1,
                software="0.1.0",
                last_seen_ms=NOW_MS,
                hashes={"models/price": "ab"},
            )
        )
        for stream, kind in ((TELEMETRY, "telemetry"), (EVENTS, "event")):
            conn.execute(
                insert(tables.streams).values(
                    id=stream,
                    node="a-01",
                    kind=kind,
                    committed=b"\x80",
                    gaps=b"\x80",
                    first_seen_ms=NOW_MS,
                )
            )
        conn.execute(
            insert(tables.births).values(
                stream=TELEMETRY,
                number=1,
                node="a-01",
                body=birth.encode(),
                sha256=b"",
                received_ms=NOW_MS,
            )
        )
        for metric in birth.metrics:
            conn.execute(
                insert(tables.metrics).values(
                    name=metric.name, unit=metric.unit, type=metric.type.value
                )
            )
        for device in birth.devices:
            conn.execute(
                insert(tables.devices).values(
                    node="a-01",
                    name=device.name,
                    kind=device.kind,
                    family=device.family,
                    facts=dict(device.facts),
                    declared=True,
                    first_seen_ms=NOW_MS,
                )
            )
        ids = {row.name: row.id for row in conn.execute(select(tables.devices))}
    return Fleet(miner=ids["miner-01"], meter=ids["meter-01"], whole=ids["site"])


def add_snapshots(storage: Storage, fleet: Fleet, count: int) -> None:
    """One snapshot of every device a second; the miner's hashrate is unknown in the odd ones."""
    rows: list[tuple[int, dict[int, Scalar | Unknown]]] = []
    for second in range(count):
        unknown = Unknown(Reason.TIMEOUT)
        hashrate: Scalar | Unknown = 100.0 + second if second % 2 == 0 else unknown
        rows += [
            (fleet.miner, {1: 3_000.0 + second, 2: hashrate, 3: "mining"}),
            (fleet.meter, {1: 3_200.0 + second}),
            (fleet.whole, {1: 3_200.0 + second, 2: 100.0, 4: 41_500_000 + second, 5: 3_000.0}),
        ]
    with storage.write() as conn:
        for number, (device, values) in enumerate(rows):
            conn.execute(
                insert(tables.telemetry).values(
                    stream=TELEMETRY,
                    seq=number + 1,
                    time_ms=NOW_MS + number // 3 * 1_000,
                    device_id=device,
                    birth=1,
                    body=encode_body(values),
                )
            )


def add_rollups(storage: Storage, device: int, metric: str, values: list[float | None]) -> None:
    """One minute roll-up of a metric for each value that is not None, from NOW_MS on."""
    with storage.write() as conn:
        metric_id = conn.scalar(select(tables.metrics.c.id).where(tables.metrics.c.name == metric))
        assert metric_id is not None
        for minute, value in enumerate(values):
            if value is None:
                continue
            for width_ms in aggregate.WIDTHS[:1]:
                conn.execute(
                    insert(tables.rollups).values(
                        device_id=device,
                        width_ms=width_ms,
                        start_ms=NOW_MS + minute * MINUTE_MS,
                        body=aggregate.to_bytes(
                            {metric_id: Aggregate(2, value - 1, value + 1, 2 * value)}
                        ),
                    )
                )


def add_events(storage: Storage, count: int) -> None:
    """`count` events a second apart; every third is an alarm of the miner."""
    with storage.write() as conn:
        for number in range(count):
            is_alarm = number % 3 == 0
            event = Event(
                EventKind.ALARM if is_alarm else EventKind.DECISION,
                Severity.WARNING if is_alarm else Severity.INFO,
                {"code": "hot", "raised": True, "n": number, "raw": b"\x01", "odd": float("nan")},
                "miner-01" if is_alarm else None,
            )
            conn.execute(
                insert(tables.events).values(
                    node="a-01",
                    stream=EVENTS,
                    seq=number + 1,
                    device=event.device,
                    kind=event.kind.value,
                    severity=event.severity.value,
                    time_ms=NOW_MS + number * 1_000,
                    received_ms=NOW_MS,
                    body=event.encode(),
                )
            )
