"""A small fleet written straight into a controller's database, for its interface and its page."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select

from controller.fleet import aggregate
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


@dataclass(frozen=True, slots=True)
class Fleet:
    """Ids of what the `fleet` fixture made."""

    miner: int
    meter: int
    whole: int

    @classmethod
    def of(cls, storage: Storage) -> "Fleet":
        """The fleet that was entered."""
        with storage.read() as conn:
            ids = {row.name: row.id for row in conn.execute(select(tables.devices))}
        return cls(miner=ids["miner-01"], meter=ids["meter-01"], whole=ids["site"])


def enter_fleet(storage: Storage, now_ms: int = NOW_MS) -> Fleet:
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
        conn.execute(insert(tables.sites).values(id="site-a", name="Site A", created_ms=now_ms))
        for node in ("a-01", "a-02"):
            conn.execute(
                insert(tables.nodes).values(name=node, site_id="site-a", created_ms=now_ms)
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
                last_seen_ms=now_ms,
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
                    first_seen_ms=now_ms,
                )
            )
        conn.execute(
            insert(tables.births).values(
                stream=TELEMETRY,
                number=1,
                node="a-01",
                body=birth.encode(),
                sha256=b"",
                received_ms=now_ms,
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
                    first_seen_ms=now_ms,
                )
            )
    return Fleet.of(storage)


def add_snapshots(
    storage: Storage, fleet: Fleet, count: int, start_ms: int = NOW_MS, first_seq: int = 1
) -> None:
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
                    seq=first_seq + number,
                    time_ms=start_ms + number // 3 * 1_000,
                    device_id=device,
                    birth=1,
                    body=encode_body(values),
                )
            )


def add_miners(storage: Storage, count: int) -> None:
    """Further miners of "a-01", each with one snapshot of its power, 1 kW."""
    with storage.write() as conn:
        for number in range(count):
            device_id = conn.scalar(
                insert(tables.devices)
                .values(
                    node="a-01",
                    name=f"more-{number:03}",
                    kind="miner",
                    family="luxos",
                    facts={},
                    declared=True,
                    first_seen_ms=NOW_MS,
                )
                .returning(tables.devices.c.id)
            )
            conn.execute(
                insert(tables.telemetry).values(
                    stream=TELEMETRY,
                    seq=1_000_000 + number,
                    time_ms=NOW_MS,
                    device_id=device_id,
                    birth=1,
                    body=encode_body({1: 1_000.0}),
                )
            )


def add_rollups(
    storage: Storage,
    device: int,
    metric: str,
    values: Sequence[float | None],
    start_ms: int = NOW_MS,
) -> None:
    """One minute roll-up of a metric for each value that is not None."""
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
                        start_ms=start_ms - start_ms % MINUTE_MS + minute * MINUTE_MS,
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
