"""The seam for whoever acts on an approval: the intent, handed out once.

    intent = approved_intent(conn, clock, party, request_id, digest)

marks the request as used in the caller's transaction, which must do the act as well: both commit,
or neither. Nothing is believed that the signatures do not say: they are all verified anew against
the kept intent, the kept policy and the keys that are in force now.
"""

from typing import Any

from sqlalchemy import Connection, Row, select, update

from controller.access.approvals.attempts import RefusedAttemptError
from controller.access.approvals.entitlement import check_initiator, keys_that_decide
from controller.access.approvals.keys import approver_key
from controller.access.approvals.requests import CONTROLLER, case_of, locked_request, move
from controller.clock import Clock
from controller.storage.tables import approval_keys, approval_requests, approvals, users
from shared.approvals.encoding import decode
from shared.approvals.intents import AnyIntent
from shared.approvals.judgement import Judgement, SignedDecision, Trust, judge
from shared.approvals.life import ApprovalEvent, ApprovalState
from shared.approvals.passkey import RelyingParty
from shared.approvals.statement import Case, Decision


def approved_intent(
    conn: Connection, clock: Clock, party: RelyingParty | None, request_id: str, digest: bytes
) -> AnyIntent:
    """What was approved, once. `RefusedAttemptError` when it is not approved, was used before, is
    another intent, too late, no longer stands on keys in force of people who may decide, or was
    asked for by somebody who may no longer ask, or with a token that is no longer good for it; then
    nothing is changed."""
    row = locked_request(conn, request_id)
    if row.state != ApprovalState.APPROVED.value:
        raise RefusedAttemptError(request_id, f"is {row.state}", f"the request is {row.state}")
    case = case_of(row)
    if case.digest != digest:
        raise RefusedAttemptError(request_id, "changed intent", "approved was another intent")
    if clock.now_ms() >= row.deadline_ms:
        raise RefusedAttemptError(request_id, "late", "the intent's deadline has passed")
    judgement = judge_kept(conn, case, party, row.decided_ms)
    if judgement.state is not ApprovalState.APPROVED:
        text = "its approvals no longer come to a quorum"
        raise RefusedAttemptError(request_id, "no quorum any more", text)
    intent = decode(case.intent)
    check_initiator(conn, clock, row, intent)
    move(conn, clock, row, ApprovalEvent.USE, CONTROLLER)
    return intent


def note_outcome(conn: Connection, request_id: str, outcome: str) -> None:
    """What the act made, written once in the transaction that used the approval."""
    conn.execute(
        update(approval_requests)
        .where(
            approval_requests.c.id == request_id,
            approval_requests.c.state == ApprovalState.USED.value,
            approval_requests.c.outcome.is_(None),
        )
        .values(outcome=outcome[:200])
    )


def judge_kept(conn: Connection, case: Case, party: RelyingParty | None, at_ms: int) -> Judgement:
    """The judgement on what is kept for a request, with the keys in force of those who may decide
    on it now."""
    rows = kept_decisions(conn, case.request)
    keys = (approver_key(row) for row in keys_that_decide(conn, decode(case.intent)))
    trust = Trust({key.key_id: key for key in keys}, party)
    decisions = [
        SignedDecision(bytes(row.wire_key_id), Decision(row.decision), bytes(row.signature))
        for row in rows
    ]
    return judge(case, decisions, trust, at_ms)


def kept_decisions(conn: Connection, request_id: str) -> list[Row[Any]]:
    """What was answered to a request, in order, with the key's wire id and the person's name."""
    query = (
        select(
            approvals,
            approval_keys.c.key_id.label("wire_key_id"),
            approval_keys.c.kind.label("key_kind"),
            users.c.name.label("person"),
        )
        .join(approval_keys, approval_keys.c.id == approvals.c.key_id)
        .join(users, users.c.id == approvals.c.user_id)
        .where(approvals.c.request_id == request_id)
        .order_by(approvals.c.id)
    )
    return list(conn.execute(query))
