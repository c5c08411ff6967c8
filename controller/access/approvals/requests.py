"""Requests: made, read, withdrawn, and ended when their time is up."""

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from controller.access.approvals.attempts import RefusedAttemptError
from controller.access.approvals.entitlement import scope_of
from controller.access.records import changed
from controller.changes import ChangeKind, record_change
from controller.clock import Clock
from controller.errors import ConflictError, MissingError
from controller.storage.tables import approval_requests
from shared.approvals.encoding import digest_of, encode
from shared.approvals.fields import name_text
from shared.approvals.intents import AnyIntent
from shared.approvals.life import TERMINAL_STATES, ApprovalEvent, ApprovalState, step
from shared.approvals.statement import Case, Policy
from shared.errors import BadInputError

CONTROLLER = "controller"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants approved: the intent, who wants it, whose approval, until when.

    `rule` names what asked for the approval; `actor` is the initiator as audit leaves name him.
    """

    intent: AnyIntent
    initiator_id: int
    initiator: str
    actor: str
    policy: Policy
    rule: str
    expires_ms: int


def open_request(conn: Connection, clock: Clock, wish: Wish) -> str:
    """Writes the request down as it will be signed; returns its id.

    `ConflictError` when the quorum cannot be reached without the initiator, `BadInputError` for
    times that do not fit together.
    """
    now_ms = clock.now_ms()
    if not wish.policy.can_decide_without(wish.initiator):
        raise ConflictError(
            f"the rule {wish.rule} names too few people besides {wish.initiator}, who asks"
        )
    if not now_ms < wish.expires_ms <= wish.intent.deadline_ms:
        allowed = "after now, and not after the intent's deadline"
        raise BadInputError("expires_ms", f"{wish.expires_ms}", allowed)
    content = encode(wish.intent)
    table = approval_requests.c
    if conn.scalar(select(table.id).where(table.digest == digest_of(content))) is not None:
        raise ConflictError("just this intent was put before approvers already")
    request_id = str(uuid.uuid4())
    conn.execute(
        insert(approval_requests).values(
            id=request_id,
            kind=wish.intent.kind.value,
            intent=content,
            digest=digest_of(content),
            initiator_id=wish.initiator_id,
            initiator=name_text(wish.initiator, "initiator"),
            policy=wish.policy.to_data(),
            rule=wish.rule,
            scope=str(scope_of(wish.intent)),
            created_ms=now_ms,
            expires_ms=wish.expires_ms,
            deadline_ms=wish.intent.deadline_ms,
            state=ApprovalState.PENDING.value,
        )
    )
    changed(
        conn,
        clock,
        "approval.requested",
        wish.actor,
        request_id,
        digest=digest_of(content),
        intent_kind=wish.intent.kind.value,
        quorum=wish.policy.quorum,
        rule=wish.rule,
    )
    record_change(conn, clock, ChangeKind.APPROVAL, None, request_id)
    return request_id


def note_token(conn: Connection, request_id: str, token_id: int | None) -> None:
    """Keeps which API token a request is made with, in the transaction that opens it: once the
    token is good for it no more, neither is what was asked for with it. None: with a session."""
    if token_id is not None:
        conn.execute(
            update(approval_requests)
            .where(approval_requests.c.id == request_id)
            .values(token_id=token_id)
        )


def locked_request(conn: Connection, request_id: str) -> Row[Any]:
    """The request's row, held against other transactions; `MissingError` when there is none."""
    query = select(approval_requests).where(approval_requests.c.id == request_id)
    row = conn.execute(query.with_for_update()).one_or_none()
    if row is None:
        raise MissingError("approval request", request_id)
    return row


def case_of(row: Row[Any]) -> Case:
    """The request as approvers signed it. `RefusedAttemptError` when the kept intent is no longer
    the one that was asked for."""
    content = bytes(row.intent)
    if digest_of(content) != bytes(row.digest):
        text = "the kept intent is not the one that was asked for"
        raise RefusedAttemptError(row.id, "changed intent", text)
    return Case(row.id, content, row.initiator, Policy.from_data(row.policy), row.expires_ms)


def move(
    conn: Connection, clock: Clock, row: Row[Any], event: ApprovalEvent, actor: str, **data: Any
) -> ApprovalState:
    """Takes a request to its next state by compare-and-set, with its leaf and its change.

    `ConflictError` when somebody was faster; `NoSuchTransitionError` is a mistake of the caller.
    """
    state = step(ApprovalState(row.state), event)
    values: dict[str, Any] = {"state": state.value, "version": row.version + 1}
    if event in {ApprovalEvent.QUORUM, ApprovalEvent.REFUSE}:
        values["decided_ms"] = clock.now_ms()
    if state in TERMINAL_STATES:
        values["ended_ms"] = clock.now_ms()
    done = conn.execute(
        update(approval_requests)
        .where(
            approval_requests.c.id == row.id,
            approval_requests.c.version == row.version,
            approval_requests.c.state == row.state,
        )
        .values(values)
    )
    if done.rowcount != 1:
        raise ConflictError("the request was changed by somebody else just now")
    changed(
        conn,
        clock,
        f"approval.{state.value}",
        actor,
        row.id,
        digest=bytes(row.digest),
        event=event.value,
        **data,
    )
    record_change(conn, clock, ChangeKind.APPROVAL, None, row.id)
    return state


def withdraw(conn: Connection, clock: Clock, request_id: str, user_id: int, actor: str) -> None:
    """The initiator takes his request back, as long as it was not acted on."""
    row = locked_request(conn, request_id)
    if row.initiator_id != user_id:
        raise RefusedAttemptError(
            request_id, "not the initiator", "only who asked for it may withdraw it"
        )
    if ApprovalState(row.state) not in {ApprovalState.PENDING, ApprovalState.APPROVED}:
        raise ConflictError(f"the request is {row.state}")
    move(conn, clock, row, ApprovalEvent.WITHDRAW, actor)


def overdue(conn: Connection, now_ms: int, most: int = 200) -> list[str]:
    """Ids of open requests whose time is up."""
    table = approval_requests.c
    pending = and_(table.state == ApprovalState.PENDING.value, table.expires_ms <= now_ms)
    approved = and_(table.state == ApprovalState.APPROVED.value, table.deadline_ms <= now_ms)
    query = select(table.id).where(or_(pending, approved)).order_by(table.created_ms).limit(most)
    return list(conn.scalars(query))


def end_if_overdue(conn: Connection, clock: Clock, request_id: str) -> None:
    """Writes `expired` or `lapsed` where it is due."""
    row = locked_request(conn, request_id)
    now_ms = clock.now_ms()
    state = ApprovalState(row.state)
    if state is ApprovalState.PENDING and row.expires_ms <= now_ms:
        move(conn, clock, row, ApprovalEvent.TIME_IS_UP, CONTROLLER)
    elif state is ApprovalState.APPROVED and row.deadline_ms <= now_ms:
        move(conn, clock, row, ApprovalEvent.DEADLINE, CONTROLLER)
