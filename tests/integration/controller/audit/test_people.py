"""Personal data stands in the log as traces, which can be made nobody's."""

import hashlib
import threading

import pytest
from sqlalchemy import select

from controller.audit import Personal, erase, queue_leaf
from controller.audit.people import find_trace, person_of, trace_of
from controller.audit.verify import Trust, verify
from controller.storage.engine import Storage
from controller.storage.tables import audit_leaves, audit_people
from shared.errors import BadInputError
from shared.messages import cbor
from tests.audit_logs import KEY, bodies, exported, fill, integrator
from tests.nodes import NOON_MS

ADDRESS = Personal("address", "203.0.113.7")
NAME = Personal("login", "ada@mine.example")


def tell(storage: Storage, subject: str = "session-1") -> None:
    with storage.write() as conn:
        queue_leaf(
            conn,
            kind="access.refused",
            actor=NAME,
            subject=subject,
            data={"from": ADDRESS, "tried": [NAME, {"deep": ADDRESS}], "count": 3},
            now_ms=NOON_MS,
        )


def test_a_leaf_has_traces_in_place_of_what_names_a_person(storage: Storage) -> None:
    tell(storage)
    with storage.read() as conn:
        row = conn.execute(select(audit_leaves)).one()
        address, name = find_trace(conn, ADDRESS), find_trace(conn, NAME)
        assert address is not None
        assert person_of(conn, address) == ADDRESS
    leaf = cbor.decode(row.body)
    assert leaf["data"] == {"from": address, "tried": [name, {"deep": address}], "count": 3}
    assert leaf["actor"] == row.actor == name
    for told in (b"203.0.113.7", b"ada", hashlib.sha256(b"203.0.113.7").digest()[:8]):
        assert told not in row.body


def test_one_person_has_one_trace_and_two_people_two(storage: Storage) -> None:
    with storage.write() as conn:
        first = trace_of(conn, ADDRESS, NOON_MS)
        assert trace_of(conn, ADDRESS, NOON_MS + 1) == first
        assert trace_of(conn, Personal("address", "203.0.113.8"), NOON_MS) != first
        assert trace_of(conn, Personal("login", "203.0.113.7"), NOON_MS) != first


def test_an_erased_persons_leaves_stay_proven_and_are_nobodys(storage: Storage) -> None:
    tell(storage)
    with storage.write() as conn:
        trace = find_trace(conn, ADDRESS)
        assert trace is not None
        assert erase(conn, ADDRESS, actor="user:1", now_ms=NOON_MS)
    with storage.write() as conn:
        assert person_of(conn, trace) is None
        assert find_trace(conn, ADDRESS) is None
        salts = list(conn.scalars(select(audit_people.c.value)))
        again = trace_of(conn, ADDRESS, NOON_MS)
    assert salts == [NAME.value]
    assert again != trace  # what comes later is not linked to what was
    integrator(storage).round()
    assert verify(exported(storage), Trust([KEY.public_key()])).leaves == 2
    erased = cbor.decode(bodies(storage)[1])
    assert (erased["kind"], erased["subject"]) == ("audit.person_erased", trace)


def test_who_was_never_met_cannot_be_erased(storage: Storage) -> None:
    with storage.write() as conn:
        assert not erase(conn, ADDRESS, actor="user:1", now_ms=NOON_MS)
    assert bodies(storage) == []
    with storage.read() as conn:
        assert conn.execute(select(audit_leaves)).all() == []


def test_a_person_met_twice_at_once_has_one_trace(storage: Storage) -> None:
    threads = [
        threading.Thread(target=tell, args=(storage, f"session-{n}"), daemon=True) for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with storage.read() as conn:
        actors = list(conn.scalars(select(audit_leaves.c.actor)))
        trace = find_trace(conn, NAME)
    assert actors == [trace] * 6


def test_a_leaf_that_is_too_large_is_refused_and_nothing_is_queued(storage: Storage) -> None:
    with pytest.raises(BadInputError, match="leaf"), storage.write() as conn:
        queue_leaf(
            conn,
            kind="test.large",
            actor="user:1",
            subject="x",
            data={"text": "x" * 300_000},
            now_ms=NOON_MS,
        )
    fill(storage, 1)
    assert len(bodies(storage)) == 1


@pytest.mark.parametrize(
    ("kind", "value"),
    [("", "x"), ("a:b", "x"), ("k" * 41, "x"), ("address", ""), ("address", "x" * 301)],
)
def test_what_cannot_be_a_trace_is_refused(kind: str, value: str) -> None:
    with pytest.raises(BadInputError, match="personal"):
        Personal(kind, value)
