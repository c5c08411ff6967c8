"""Heads timestamped by a real authority (`openssl ts`), and what happens when it fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx2 import Client, MockTransport, Request, Response
from sqlalchemy import Row, select

import controller.audit.authority
from controller.audit.authority import Authority, AuthorityError
from controller.audit.stamps import check, load_roots
from controller.audit.timestamps import StampRules, Timestamper
from controller.audit.verify import Trust, verify
from controller.metrics import ControllerMetrics
from controller.storage.engine import Storage
from controller.storage.tables import (
    audit_authorities,
    audit_heads,
    audit_timestamps,
    security_events,
)
from shared.time import to_ms
from tests.audit_logs import KEY, bodies, exported, fill, integrator, queue
from tests.nodes import NOON_MS, StillClock
from tests.timestamp_authority import TimestampAuthority, make_authority, served

HOUR_MS = 3_600_000


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[TimestampAuthority]:
    """A fresh one, served."""
    with served(make_authority(tmp_path / "authority")) as running:
        yield running


@pytest.fixture
def clock() -> StillClock:
    """Noon."""
    return StillClock()


@pytest.fixture
def stamper(storage: Storage, clock: StillClock, authority: TimestampAuthority) -> Timestamper:
    """One timestamp an hour at the most."""
    roots = load_roots(authority.roots_file.read_bytes(), "roots")
    rules = StampRules(roots, HOUR_MS)
    return Timestamper(storage, clock, Authority(authority.url), rules, ControllerMetrics())


def stamps_in(storage: Storage) -> list[Row[tuple[object, ...]]]:
    with storage.read() as conn:
        return list(conn.execute(select(audit_timestamps).order_by(audit_timestamps.c.size)).all())


def test_the_newest_head_is_timestamped_once_an_hour(
    storage: Storage, clock: StillClock, authority: TimestampAuthority, stamper: Timestamper
) -> None:
    stamper.round()
    assert not authority.asked  # there is nothing to timestamp
    fill(storage, 2, 3)
    stamper.round()
    stamper.round()
    assert [row.size for row in stamps_in(storage)] == [5]
    fill(storage, 1, first=5)
    stamper.round()
    assert len(authority.asked) == 1
    clock.time_ms += HOUR_MS
    stamper.round()
    clock.time_ms += HOUR_MS
    stamper.round()  # the newest head has one
    assert [row.size for row in stamps_in(storage)] == [5, 6]
    assert len(authority.asked) == 2


def test_the_kept_answer_holds_for_its_head_and_tells_the_authoritys_time(
    storage: Storage, authority: TimestampAuthority, stamper: Timestamper
) -> None:
    fill(storage, 4)
    stamper.round()
    (kept,) = stamps_in(storage)
    roots = load_roots(authority.roots_file.read_bytes(), "roots")
    with storage.read() as conn:
        note = conn.execute(select(audit_heads.c.note)).scalar_one()
    assert to_ms(check(kept.response, note, roots)) == kept.time_ms
    assert kept.authority == authority.url
    assert kept.received_ms == NOON_MS
    found = verify(exported(storage), Trust([KEY.public_key()], roots=roots))
    assert (found.timestamps, found.checked_timestamps) == (1, 1)


@pytest.mark.parametrize("failure", ["down", "refuses", "nonsense", "stranger", "too much"])
def test_an_authority_that_fails_is_told_and_holds_up_nothing(
    storage: Storage,
    clock: StillClock,
    authority: TimestampAuthority,
    tmp_path: Path,
    failure: str,
) -> None:
    trusted = authority
    if failure == "stranger":
        trusted = make_authority(tmp_path / "trusted")
    elif failure == "refuses":
        authority.status, authority.body = 403, b"no"
    elif failure == "nonsense":
        authority.body = b"\x30\x03\x02\x01\x02"
    elif failure == "too much":
        authority.body = bytes(70_000)
    url = authority.url if failure != "down" else "http://127.0.0.1:1/stamp"
    roots = load_roots(trusted.roots_file.read_bytes(), "roots")
    metrics = ControllerMetrics()
    stamper = Timestamper(storage, clock, Authority(url), StampRules(roots, HOUR_MS), metrics)
    fill(storage, 3)
    stamper.round()
    queue(storage, 2, 3)
    assert integrator(storage).round() is False
    told_as_event = failure in {"nonsense", "stranger"}  # an answer came, and it was none
    assert len(bodies(storage)) == 5 + told_as_event
    assert stamps_in(storage) == []
    with storage.read() as conn:
        told = conn.execute(select(audit_authorities)).one()
    assert (told.url, told.failures, told.problem_ms) == (url, 1, NOON_MS)
    assert told.problem
    assert told.succeeded_ms is None
    failed = metrics.registry.get_sample_value("bes_audit_timestamps_total", {"result": "failed"})
    assert failed == 1


def test_an_authority_that_recovers_is_told_to_be_well(
    storage: Storage, authority: TimestampAuthority, stamper: Timestamper
) -> None:
    authority.status, authority.body = 403, b""
    fill(storage, 3)
    stamper.round()
    authority.status, authority.body = 200, None
    stamper.round()
    with storage.read() as conn:
        told = conn.execute(select(audit_authorities)).one()
    assert (told.failures, told.problem, told.succeeded_ms) == (0, None, NOON_MS)
    assert len(stamps_in(storage)) == 1


def test_an_answer_to_another_question_is_refused(
    storage: Storage, clock: StillClock, authority: TimestampAuthority, stamper: Timestamper
) -> None:
    """A replayed answer: its nonce is another one's, though it stamps the same head."""
    fill(storage, 3)
    stamper.round()
    (first,) = stamps_in(storage)
    with storage.write() as conn:
        conn.execute(audit_timestamps.delete())
    authority.body = first.response
    stamper.round()
    assert stamps_in(storage) == []
    with storage.read() as conn:
        told = conn.execute(select(audit_authorities)).one()
        event = conn.execute(select(security_events)).one()
    assert told.problem == "Nonce mismatch"
    assert (event.kind, event.subject) == ("timestamp_refused", authority.url)


def test_an_authority_that_dribbles_its_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(controller.audit.authority, "_ANSWER_WITHIN_S", 0.0)
    dribble = MockTransport(lambda _request: Response(200, content=iter([b"a", b"b"])))
    authority = Authority("http://authority.test/", Client(transport=dribble))
    with pytest.raises(AuthorityError, match="no whole answer"):
        authority.ask(b"question")
    authority.close()


def test_an_authority_is_tried_again_and_then_left_alone() -> None:
    asked: list[Request] = []

    def answer(request: Request) -> Response:
        asked.append(request)
        return Response(503)

    authority = Authority("http://authority.test/", Client(transport=MockTransport(answer)))
    for _ in range(3):
        with pytest.raises(AuthorityError, match="503"):
            authority.ask(b"question")
    assert len(asked) == 9  # three tries each
    with pytest.raises(AuthorityError, match="left alone"):
        authority.ask(b"question")
    assert len(asked) == 9
    assert asked[0].headers["content-type"] == "application/timestamp-query"
    authority.close()
