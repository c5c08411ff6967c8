"""What approvers answer. The signature is the authority, whoever delivers it.

The transaction that records the last approval also begins the act, where the kind of intent has
one that begins at once: it commits with the approval, or the approval is not taken.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from controller.access.approvals.attempts import RefusedAttemptError
from controller.access.approvals.config import ApprovalsConfig
from controller.access.approvals.entitlement import may_decide
from controller.access.approvals.keys import approver_key, find_key
from controller.access.approvals.requests import case_of, locked_request, move
from controller.access.approvals.use import approved_intent, judge_kept, note_outcome
from controller.access.callers import UserKind
from controller.access.records import changed
from controller.changes import ChangeKind, record_change
from controller.clock import Clock
from controller.errors import ConflictError
from controller.storage.tables import approval_keys, approvals
from shared.approvals.encoding import decode
from shared.approvals.intents import AnyIntent, IntentKind
from shared.approvals.judgement import NotCountedError, SignedDecision, Trust, person_of, prove
from shared.approvals.life import ApprovalEvent, ApprovalState
from shared.approvals.passkey import RelyingParty
from shared.approvals.statement import Case, Decision

Act = Callable[[Connection, AnyIntent, int], str]
"""Begins what was approved, in the transaction given, for the initiator's account (its id);
returns what it made, such as an id. What it raises rolls the last approval back."""


@dataclass(frozen=True, slots=True)
class ApprovalDesk:
    """The rules, whom passkeys are made for, and the acts that begin with the last approval."""

    config: ApprovalsConfig = field(default_factory=ApprovalsConfig)
    party: RelyingParty | None = None
    acts: Mapping[IntentKind, Act] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Delivery:
    """A signed answer to a request, and who brings it (as leaves name him)."""

    request_id: str
    signed: SignedDecision
    delivered_by: str


def decide(conn: Connection, clock: Clock, desk: ApprovalDesk, delivery: Delivery) -> ApprovalState:
    """Takes an answer and moves the request where it leads; the state it has then.

    `RefusedAttemptError` for one that does not count, `MissingError` for an unknown request.
    """
    row = locked_request(conn, delivery.request_id)
    case = _open_case(row, clock.now_ms())
    key = _key_of(conn, case, delivery.signed, desk.party, clock.now_ms())
    _refuse_second(conn, case, key, delivery.signed.decision)
    _keep(conn, clock, key, delivery)
    judgement = judge_kept(conn, case, desk.party, clock.now_ms())
    match judgement.state:
        case ApprovalState.REFUSED:
            return move(conn, clock, row, ApprovalEvent.REFUSE, f"user:{key.user_id}")
        case ApprovalState.APPROVED:
            move(conn, clock, row, ApprovalEvent.QUORUM, f"user:{key.user_id}")
            return _begin(conn, clock, desk, row)
    record_change(conn, clock, ChangeKind.APPROVAL, None, row.id)
    return judgement.state


def _open_case(row: Row[Any], now_ms: int) -> Case:
    if row.state != ApprovalState.PENDING.value:
        raise RefusedAttemptError(row.id, f"is {row.state}", f"the request is {row.state}")
    if now_ms >= row.expires_ms:
        raise RefusedAttemptError(row.id, "late", "the request has expired")
    return case_of(row)


def _key_of(
    conn: Connection, case: Case, signed: SignedDecision, party: RelyingParty | None, now_ms: int
) -> Row[Any]:
    """The row of the key that signed, once everything is proven about it and its owner."""
    row = find_key(conn, signed.key_id)
    known = {} if row is None else {signed.key_id: approver_key(row)}
    try:
        person_of(case, signed, Trust(known, party), now_ms)
        counter = None if row is None else prove(case, signed, known[signed.key_id], party)
    except NotCountedError as error:
        raise RefusedAttemptError(case.request, error.reason, str(error)) from error
    if row is None or row.confirmed_ms is None:
        text = "the key has not been confirmed by somebody else"
        raise RefusedAttemptError(case.request, "unconfirmed key", text)
    entitled = row.disabled_real_ms is None and row.user_kind == UserKind.PERSON
    if not entitled or not may_decide(conn, row.user_id, decode(case.intent)):
        text = f"{row.person} may not decide (any more)"
        raise RefusedAttemptError(case.request, "not entitled", text)
    if counter is not None:
        _count_up(conn, case, row, counter)
    return row


def _count_up(conn: Connection, case: Case, row: Row[Any], counter: int) -> None:
    """A counter that does not grow tells of a copied authenticator; one that does not count
    stays at zero (WebAuthn level 3, section 6.1.1)."""
    if (counter or row.sign_count) and counter <= row.sign_count:
        text = "the passkey's counter went back: it may have been copied"
        raise RefusedAttemptError(case.request, "copied passkey", text)
    counted = conn.execute(
        update(approval_keys)
        .where(approval_keys.c.id == row.id, approval_keys.c.sign_count == row.sign_count)
        .values(sign_count=counter)
    )
    if counted.rowcount != 1:
        raise ConflictError("the passkey was used for something else just now; sign again")


def _refuse_second(conn: Connection, case: Case, key: Row[Any], decision: Decision) -> None:
    said = select(approvals.c.id).where(
        approvals.c.request_id == case.request,
        approvals.c.user_id == key.user_id,
        approvals.c.decision == decision.value,
    )
    if conn.scalar(said) is not None:
        text = f"{key.person} has said so already, and counts once"
        raise RefusedAttemptError(case.request, "twice", text)


def _keep(conn: Connection, clock: Clock, key: Row[Any], delivery: Delivery) -> None:
    signed = delivery.signed
    conn.execute(
        insert(approvals).values(
            request_id=delivery.request_id,
            key_id=key.id,
            user_id=key.user_id,
            decision=signed.decision.value,
            signature=signed.signature,
            delivered_by=delivery.delivered_by,
            created_ms=clock.now_ms(),
        )
    )
    changed(
        conn,
        clock,
        "approval.decision",
        f"user:{key.user_id}",
        delivery.request_id,
        decision=signed.decision.value,
        delivered_by=delivery.delivered_by,
        key_id=signed.key_id,
        signature=signed.signature,
    )


def _begin(conn: Connection, clock: Clock, desk: ApprovalDesk, row: Row[Any]) -> ApprovalState:
    """The act of the intent's kind; without one the request waits as approved to be used."""
    act = desk.acts.get(IntentKind(row.kind))
    if act is None:
        return ApprovalState.APPROVED
    intent = approved_intent(conn, clock, desk.party, row.id, bytes(row.digest))
    note_outcome(conn, row.id, act(conn, intent, row.initiator_id))
    return ApprovalState.USED
