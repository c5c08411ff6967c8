"""What commits while the page is open: the row, and the change that tells of it."""

from sqlalchemy import func, insert, select

from controller.changes import ChangeKind, record_change
from controller.storage import tables
from shared.messages.event import Event
from tests.browser.conftest import Served
from tests.fleets import EVENTS, TELEMETRY


def tell(served: Served, kind: ChangeKind, subject: str) -> None:
    """Commits a change that the stream tells."""
    with served.storage.write() as conn:
        record_change(conn, served.clock, kind, "a-01", subject)


def add_event(served: Served, event: Event) -> None:
    """Commits an event of the node."""
    now_ms = served.clock.now_ms()
    last_seq = select(func.max(tables.events.c.seq)).where(tables.events.c.stream == EVENTS)
    with served.storage.write() as conn:
        number = conn.execute(
            insert(tables.events).values(
                node="a-01",
                stream=EVENTS,
                seq=(conn.execute(last_seq).scalar() or 0) + 1,
                device=event.device,
                kind=event.kind.value,
                severity=event.severity.value,
                time_ms=now_ms,
                received_ms=now_ms,
                body=event.encode(),
            )
        ).inserted_primary_key
        assert number is not None
        record_change(conn, served.clock, ChangeKind.EVENT, "a-01", str(number[0]))


def raise_alarm(served: Served, text: str) -> None:
    """Commits an alarm of the miner."""
    with served.storage.write() as conn:
        conn.execute(
            insert(tables.alarms).values(
                node="a-01",
                stream=TELEMETRY,
                device="miner-01",
                code="hot",
                severity="warning",
                text=text,
                raised_ms=served.clock.now_ms(),
            )
        )
        record_change(conn, served.clock, ChangeKind.ALARM, "a-01", "hot")


def declare_devices(served: Served, names: list[str], family: str = "antminer") -> None:
    """Commits devices of the node that have not been read yet."""
    with served.storage.write() as conn:
        for name in names:
            conn.execute(
                insert(tables.devices).values(
                    node="a-01",
                    name=name,
                    kind="miner",
                    family=family,
                    facts={},
                    declared=True,
                    first_seen_ms=0,
                )
            )
        record_change(conn, served.clock, ChangeKind.NODE, "a-01", "a-01")
