"""What a node would send, for tests of the controller: births, batches, events, gap reports."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from controller.clock import Clock
from controller.config import RetentionConfig, SiteConfig
from controller.fleet.presence import enter_sites
from controller.ingest.inbox import Received
from controller.retention.job import enter_defaults
from controller.storage.engine import Storage
from shared.measured import Scalar, Unknown
from shared.messages.birth import Birth, DeviceDeclaration, MetricDeclaration, MetricType
from shared.messages.event import Event, EventBatch, EventKind, EventRow, Severity
from shared.messages.gap import Aggregate, Bucket, Gap
from shared.messages.reply import Reply
from shared.messages.state import State
from shared.messages.telemetry import TelemetryBatch, TelemetryRow, encode_body
from shared.messages.topics import Channel, topic

NOON_MS = 1_715_169_600_000
"""2024-05-08 12:00 UTC, the start of a minute and of an hour."""

POWER = MetricDeclaration(1, "power_w", "W", MetricType.FLOAT)
HASHRATE = MetricDeclaration(2, "hashrate_ths", "TH/s", MetricType.FLOAT)
MINING = MetricDeclaration(3, "mining", "", MetricType.BOOL)
PRESET = MetricDeclaration(4, "preset", "", MetricType.TEXT)


@dataclass(slots=True)
class StillClock:
    """A clock that tests move."""

    time_ms: int = NOON_MS
    real_time_ms: int = NOON_MS

    def now_ms(self) -> int:
        """See `Clock`."""
        return self.time_ms

    def real_ms(self) -> int:
        """See `Clock`."""
        return self.real_time_ms


@dataclass(frozen=True, slots=True)
class FakeNode:
    """A node's words; nothing is sent from here."""

    name: str = "site-a-01"
    telemetry_stream: int = 11
    event_stream: int = 12
    boot_id: str = "boot-1"
    devices: tuple[DeviceDeclaration, ...] = (
        DeviceDeclaration(1, "miner-01", "miner", "antminer", {"model": "S19"}),
        DeviceDeclaration(2, "miner-02", "miner", "luxos", {}),
    )
    metrics: tuple[MetricDeclaration, ...] = field(default=(POWER, HASHRATE, MINING, PRESET))

    def birth(self, number: int = 1) -> Birth:
        """Its birth of this number."""
        return Birth(
            number=number,
            node=self.name,
            boot_id=self.boot_id,
            software="0.1.0",
            streams={"telemetry": self.telemetry_stream, "event": self.event_stream},
            devices=self.devices,
            metrics=self.metrics,
        )

    def received(self, channel: Channel, payload: bytes, token: int = 0) -> Received:
        """A payload as the broker would hand it over."""
        return Received(topic(self.name, channel), payload, token)

    def born(self, number: int = 1) -> Received:
        """The birth as received."""
        return self.received(Channel.BIRTH, self.birth(number).encode())

    def state(self, *, online: bool) -> Received:
        """A state message as received."""
        state = State(online, self.boot_id, NOON_MS, clock_synchronised=True, clock_error_ms=3)
        return self.received(Channel.STATE, state.encode())

    def batch(
        self, rows: Iterable[TelemetryRow], birth: int = 1, *, stream: int | None = None
    ) -> Received:
        """A telemetry batch as received."""
        batch = TelemetryBatch(
            self.telemetry_stream if stream is None else stream, birth, False, tuple(rows)
        )
        return self.received(Channel.TELEMETRY, batch.encode())

    def events(self, rows: Iterable[EventRow]) -> Received:
        """An event batch as received."""
        return self.received(Channel.EVENT, EventBatch(self.event_stream, tuple(rows)).encode())

    def gap(
        self, first: int, last: int, buckets: Sequence[Bucket] = (), width_ms: int = 60_000
    ) -> Event:
        """A gap report of its telemetry stream."""
        report = Gap(
            stream=self.telemetry_stream,
            birth=1,
            first=first,
            last=last,
            from_ms=NOON_MS,
            to_ms=NOON_MS + 60_000,
            reason="disk budget",
            width_ms=width_ms,
            buckets=tuple(buckets),
        )
        return Event(EventKind.GAP, Severity.WARNING, report.to_data())


def power_row(
    seq: int, power_w: float, time_ms: int | None = None, device: int = 1
) -> TelemetryRow:
    """A snapshot with one value; by default one a second from noon on."""
    return telemetry_row(seq, {POWER.alias: power_w}, time_ms, device)


def telemetry_row(
    seq: int, values: dict[int, Scalar | Unknown], time_ms: int | None = None, device: int = 1
) -> TelemetryRow:
    """A snapshot of these values by alias."""
    at_ms = NOON_MS + seq * 1_000 if time_ms is None else time_ms
    return TelemetryRow(seq, at_ms, device, encode_body(values))


def event_row(seq: int, event: Event, time_ms: int | None = None) -> EventRow:
    """An event with its place in the stream."""
    return EventRow(seq, NOON_MS + seq * 1_000 if time_ms is None else time_ms, event.encode())


def alarm(code: str, *, raised: bool, device: str | None = None) -> Event:
    """An alarm event."""
    data = {"code": code, "raised": raised, "text": f"{code} of {device}"}
    return Event(EventKind.ALARM, Severity.WARNING, data, device)


def reply_event(reply: Reply) -> Event:
    """A step of a command as an event."""
    return Event(EventKind.REPLY, Severity.INFO, reply.to_data())


def bucket(power_w: float, count: int, start_ms: int = NOON_MS, device: int = 1) -> Bucket:
    """Aggregates of one device's power that was the same throughout."""
    return Bucket(
        device, start_ms, {POWER.alias: Aggregate(count, power_w, power_w, power_w * count)}
    )


def enter_nodes(storage: Storage, clock: Clock, *names: str) -> None:
    """Makes nodes at one site, and the retention settings."""
    with storage.write() as conn:
        enter_sites(conn, clock, [SiteConfig(id="site-a", name="Site A", nodes=names)])
        enter_defaults(conn, clock, RetentionConfig())
