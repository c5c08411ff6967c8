"""An event, its leaf, its note and its message commit together; equal ones are counted."""

from typing import Any

import pytest
from sqlalchemy import Row, func, insert, select, update

from controller.audit.people import Personal
from controller.changes import ChangeKind, changes_after
from controller.detection.counting import MANY, MOST_ROWS, WINDOW_MS
from controller.detection.deliveries import enter_webhook, forget_old
from controller.detection.kinds import SecurityKind
from controller.detection.report import report
from controller.storage.engine import Storage
from controller.storage.tables import (
    audit_leaves,
    legal_holds,
    security_events,
    webhook_deliveries,
    webhooks,
)
from tests.nodes import NOON_MS

KIND = SecurityKind.PUBLISH_REFUSED


def events(storage: Storage) -> list[Row[Any]]:
    with storage.read() as conn:
        return list(conn.execute(select(security_events).order_by(security_events.c.id)))


def count(storage: Storage, table: Any) -> int:
    with storage.read() as conn:
        return conn.scalar(select(func.count()).select_from(table)) or 0


def tell(storage: Storage, at_ms: int = NOON_MS, subject: Any = "site-a-01", **detail: Any) -> int:
    with storage.write() as conn:
        return report(conn, kind=KIND, subject=subject, detail=detail, now_ms=at_ms)


def with_receiver(storage: Storage) -> None:
    with storage.write() as conn:
        conn.execute(webhooks.insert().values(name="security", url="https://x.example", enabled=1))


def test_an_event_its_leaf_note_and_message_commit_together_or_not_at_all(
    storage: Storage,
) -> None:
    with_receiver(storage)
    with storage.engine.connect() as conn:  # never committed
        report(conn, kind=KIND, subject="a", detail={}, now_ms=NOON_MS)
    assert [count(storage, t) for t in (security_events, audit_leaves, webhook_deliveries)] == [
        0
    ] * 3
    row = tell(storage, topic="bes/1/b/event")
    assert [count(storage, t) for t in (security_events, audit_leaves, webhook_deliveries)] == [
        1
    ] * 3
    with storage.read() as conn:
        told = [change for change in changes_after(conn, 0) if change.kind is ChangeKind.SECURITY]
    assert [change.subject for change in told] == [str(row)]


def test_equal_events_are_counted_and_told_at_one_and_at_ten(storage: Storage) -> None:
    with_receiver(storage)
    for second in range(15):
        tell(storage, NOON_MS + second * 1_000, topic="x")
    (row,) = events(storage)
    assert (row.occurrences, row.first_ms, row.last_ms) == (15, NOON_MS, NOON_MS + 14_000)
    assert count(storage, webhook_deliveries) == count(storage, audit_leaves) == 2


def test_another_subject_or_detail_or_a_later_time_is_another_row(storage: Storage) -> None:
    tell(storage, topic="x")
    tell(storage, topic="y")
    tell(storage, subject="site-b-01", topic="x")
    tell(storage, NOON_MS + WINDOW_MS + 1, topic="x")
    assert [row.occurrences for row in events(storage)] == [1, 1, 1, 1]


def test_a_flood_of_different_events_ends_on_one_row(storage: Storage) -> None:
    for number in range(MOST_ROWS + 30):
        tell(storage, NOON_MS + number, topic=f"topic-{number}")
    rows = events(storage)
    assert len(rows) == MOST_ROWS + 1
    assert (rows[-1].subject, rows[-1].occurrences) == (MANY, 30)


def test_a_person_stands_in_the_row_and_as_a_trace_in_the_leaf(storage: Storage) -> None:
    tell(storage, subject=Personal("address", "203.0.113.9"), who=Personal("name", "alice"))
    (row,) = events(storage)
    assert (row.subject, row.detail) == ("203.0.113.9", {"who": "alice"})
    with storage.read() as conn:
        leaf = conn.execute(select(audit_leaves)).one()
    assert leaf.subject.startswith("address:")
    assert b"203.0.113.9" not in leaf.body
    assert b"alice" not in leaf.body


def test_what_no_database_stores_is_written_down_all_the_same(storage: Storage) -> None:
    tell(storage, subject="a\x00b\ud800" * 200, topic="\x00", deep={"in": [b"\xff", float("inf")]})
    (row,) = events(storage)
    assert "\x00" not in row.subject
    assert len(row.subject) <= 200


def test_a_receiver_that_is_no_longer_configured_gets_nothing(storage: Storage) -> None:
    with_receiver(storage)
    with storage.write() as conn:
        enter_webhook(conn, None)
    tell(storage)
    assert count(storage, webhook_deliveries) == 0


def test_old_events_go_and_their_leaves_stay(storage: Storage) -> None:
    with_receiver(storage)
    tell(storage, NOON_MS, topic="old")
    tell(storage, NOON_MS + 1_000, topic="new")
    with storage.write() as conn:
        assert forget_old(conn, NOON_MS + 1) == 1
    assert [row.detail["topic"] for row in events(storage)] == ["new"]
    assert count(storage, audit_leaves) == 2
    assert count(storage, webhook_deliveries) == 1


@pytest.mark.parametrize(
    ("held", "kept"),
    [
        ({}, ["first", "second"]),
        ({"data_class": "events", "from_ms": NOON_MS + 2_000}, ["second"]),
        ({"to_ms": NOON_MS + 2_000}, ["first"]),
        ({"to_ms": NOON_MS + 1}, ["first"]),
        ({"to_ms": NOON_MS}, []),
        ({"from_ms": NOON_MS + 1_000, "to_ms": NOON_MS + 1_001}, ["first"]),
        ({"node": "site-b-01", "to_ms": NOON_MS + 2_000}, ["first"]),
        ({"data_class": "telemetry"}, []),
        ({"released_ms": NOON_MS}, []),
    ],
    ids=str,
)
def test_an_old_event_that_a_legal_hold_reaches_stays_until_the_hold_is_released(
    storage: Storage, held: dict[str, Any], kept: list[str]
) -> None:
    with_receiver(storage)
    tell(storage, NOON_MS, topic="first")
    tell(storage, NOON_MS + 1_000, topic="first")
    tell(storage, NOON_MS + 2_000, topic="second")
    with storage.write() as conn:
        conn.execute(
            insert(legal_holds).values(reason="a case", actor="user:1", created_ms=0, **held)
        )
        assert forget_old(conn, NOON_MS + 9_000) == 2 - len(kept)
    assert [row.detail["topic"] for row in events(storage)] == kept
    with storage.write() as conn:
        conn.execute(update(legal_holds).values(released_ms=NOON_MS))
        assert forget_old(conn, NOON_MS + 9_000) == len(kept)
    assert events(storage) == []
