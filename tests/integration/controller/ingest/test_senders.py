"""A node whose certificates are all revoked, or that never had one, is not heard."""

import pytest
from sqlalchemy import func, insert, select, update

from controller.config import IngestConfig
from controller.ingest.runner import Ingest, IngestHooks
from controller.metrics import ControllerMetrics
from controller.storage.engine import Storage
from controller.storage.tables import (
    births,
    certificates,
    events,
    nodes,
    outbox,
    security_events,
    telemetry,
)
from shared.messages.event import Event, EventKind, Severity
from tests.databases import counted_queries
from tests.nodes import NOON_MS, FakeNode, StillClock, event_row, power_row

DECISION = Event(EventKind.DECISION, Severity.INFO, {"text": "for the test"})


@pytest.fixture
def ingest(storage: Storage, clock: StillClock) -> Ingest:
    """As a controller that enrols nodes has it."""
    return Ingest(storage, clock, IngestConfig(), ControllerMetrics(), only_enrolled=True)


def certify(storage: Storage, node: FakeNode, serial: str) -> None:
    """Gives the node a certificate that counts."""
    with storage.write() as conn:
        conn.execute(
            insert(certificates).values(
                serial=serial,
                issuer="aa",
                node=node.name,
                key_sha256=serial.encode(),
                not_before_real_ms=NOON_MS,
                not_after_real_ms=NOON_MS + 1,
                state="active",
                body=b"",
                issued_real_ms=NOON_MS,
            )
        )


def become(storage: Storage, serial: str, state: str) -> None:
    with storage.write() as conn:
        conn.execute(
            update(certificates).where(certificates.c.serial == serial).values(state=state)
        )


def counts(storage: Storage) -> tuple[int, int, int, int]:
    """Births, rows, events, messages to nodes."""
    with storage.read() as conn:
        return (
            conn.scalar(select(func.count()).select_from(births)) or 0,
            conn.scalar(select(func.count()).select_from(telemetry)) or 0,
            conn.scalar(select(func.count()).select_from(events)) or 0,
            conn.scalar(select(func.count()).select_from(outbox)) or 0,
        )


def heard_of(storage: Storage) -> int:
    with storage.read() as conn:
        kind = security_events.c.kind == "revoked_node_heard"
        return conn.scalar(select(func.sum(security_events.c.occurrences)).where(kind)) or 0


def test_a_revoked_nodes_rows_are_neither_taken_nor_acked_and_come_when_it_is_enrolled_anew(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    certify(storage, node, "1")
    ingest.take([node.born(), node.batch([power_row(1, 1.0)])])
    before = counts(storage)
    become(storage, "1", "revoked")
    told: list[int] = []
    ingest._hooks = IngestHooks(told.append, lambda: None)  # as `start` sets them
    batch, event = node.batch([power_row(2, 2.0)]), node.events([event_row(1, DECISION)])
    ingest.take([node.born(2), node.state(online=True), batch, event])
    assert counts(storage) == before
    assert heard_of(storage) == 4
    assert len(told) == 4  # the broker is not to send them again: the node does
    certify(storage, node, "2")
    ingest.take([batch, event])
    assert counts(storage) == (before[0], before[1] + 1, before[2] + 1, before[3] + 1)
    assert heard_of(storage) == 4


def test_a_node_that_never_had_a_certificate_is_not_heard(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    ingest.take([node.born(), node.batch([power_row(1, 1.0)])])
    assert counts(storage) == (0, 0, 0, 0)
    assert heard_of(storage) == 2


def test_who_was_renewed_is_heard_and_others_in_its_group_are_none_the_worse(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    other = FakeNode("site-a-02", 21, 22)
    certify(storage, node, "1")
    become(storage, "1", "superseded")
    ingest.take([node.born(), other.born()])
    ingest.take([other.batch([power_row(1, 1.0)]), node.batch([power_row(1, 1.0)])])
    assert counts(storage)[:2] == (1, 1)


def test_that_a_node_which_was_cut_off_is_gone_is_believed(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    certify(storage, node, "1")
    ingest.take([node.state(online=True)])
    become(storage, "1", "revoked")
    ingest.take([node.state(online=False)])
    with storage.read() as conn:
        assert conn.scalar(select(nodes.c.online).where(nodes.c.name == node.name)) is False


def test_asking_for_certificates_costs_no_query_of_its_own(
    storage: Storage, clock: StillClock, node: FakeNode
) -> None:
    certify(storage, node, "1")
    numbers = []
    for first, only_enrolled in ((1, False), (2, True)):
        own = Ingest(
            storage, clock, IngestConfig(), ControllerMetrics(), only_enrolled=only_enrolled
        )
        own.take([node.born()])
        own.take([node.batch([power_row(10 * first, 1.0)])])
        with counted_queries(storage) as statements:
            own.take([node.batch([power_row(10 * first + 1, 1.0)])])
        numbers.append(len(statements))
    assert numbers[0] == numbers[1]
