"""A host presents its token: let in, laid before the operator, or refused and recorded."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from controller.audit import queue_leaf
from controller.audit.people import Personal
from controller.changes import ChangeKind, record_change
from controller.clock import Clock
from controller.detection.kinds import SecurityKind
from controller.detection.report import report
from controller.enrolment.authority import Authority, HostRequest
from controller.enrolment.issuing import admit
from controller.enrolment.judge import CONFIRM_WITHIN_MS, Attempt, Refusal, Verdict, judge
from controller.enrolment.life import EnrolmentEvent
from controller.enrolment.tokens import offer_of, step
from controller.storage.tables import enrolment_tokens
from shared.enrolment import EnrolmentToken


@dataclass(frozen=True, slots=True)
class Presented:
    """What a host brought, and from where."""

    token: EnrolmentToken
    request: HostRequest
    address: str


@dataclass(frozen=True, slots=True)
class LetIn:
    """The enrolment with its certificate's serial."""

    enrolment: Row[Any]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The operator has yet to confirm the host's key."""

    enrolment: Row[Any]


def join(
    conn: Connection, clock: Clock, authority: Authority, presented: Presented
) -> LetIn | Waiting | Refusal:
    """What becomes of the host, committed with `conn`; so is the event that a refusal leaves.

    The same host may ask again with the same key: it is told the same, and nothing is issued twice.
    """
    row = conn.execute(
        select(enrolment_tokens)
        .where(enrolment_tokens.c.token_sha256 == presented.token.sha256)
        .with_for_update()
    ).one_or_none()
    request = presented.request
    attempt = Attempt(request.node, request.key_sha256, presented.address)
    verdict = judge(None if row is None else offer_of(row), attempt, clock.real_ms())
    if row is not None and authority.is_reserved(row.node):
        verdict = Refusal.RESERVED_NAME
    if row is None or isinstance(verdict, Refusal):
        refusal = verdict if isinstance(verdict, Refusal) else Refusal.UNKNOWN_TOKEN
        _record(conn, clock, row, attempt, refusal)
        return refusal
    match verdict:
        case Verdict.ISSUE:
            now_ms = clock.real_ms()
            event = EnrolmentEvent.ADMITTED
            row = step(conn, row, event, finished_real_ms=now_ms, **_brought(presented, now_ms))
            return LetIn(admit(conn, clock, authority, f"node:{row.node}", row))
        case Verdict.LAY_BEFORE_OPERATOR:
            return Waiting(_lay_before_operator(conn, clock, row, presented))
        case Verdict.WAIT:
            return Waiting(row)
        case Verdict.DELIVER_AGAIN:
            return LetIn(row)


def _lay_before_operator(
    conn: Connection, clock: Clock, row: Row[Any], presented: Presented
) -> Row[Any]:
    now_ms = clock.real_ms()
    event = EnrolmentEvent.LAID_BEFORE_OPERATOR
    until_ms = now_ms + CONFIRM_WITHIN_MS
    row = step(conn, row, event, expires_real_ms=until_ms, **_brought(presented, now_ms))
    queue_leaf(
        conn,
        kind="enrolment.presented",
        actor=f"node:{row.node}",
        subject=row.node,
        data={"id": row.id, "key_sha256": row.key_sha256},
        now_ms=clock.now_ms(),
    )
    record_change(conn, clock, ChangeKind.SITE, None, row.site_id)
    return row


def _brought(presented: Presented, now_ms: int) -> dict[str, Any]:
    return {
        "request": presented.request.der,
        "key_sha256": presented.request.key_sha256,
        "presented_real_ms": now_ms,
        "presented_from": presented.address,
    }


def _record(
    conn: Connection, clock: Clock, row: Row[Any] | None, attempt: Attempt, refusal: Refusal
) -> None:
    detail: dict[str, Any] = {
        "why": refusal.value,
        "asked_for": attempt.node,
        "key_sha256": attempt.key_sha256.hex(),
        "from": Personal("address", attempt.address or "unknown"),
    }
    if row is not None:
        detail["enrolment"] = str(row.id)
    report(
        conn,
        kind=SecurityKind.ENROLMENT_REFUSED,
        subject=attempt.node if row is None else row.node,
        detail=detail,
        now_ms=clock.now_ms(),
    )
