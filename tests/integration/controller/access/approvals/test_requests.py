"""The life of requests in the database: what is written, told and ended."""

import pytest
from sqlalchemy import select

from controller.access.approvals.requests import end_if_overdue, locked_request, move, overdue
from controller.access.approvals.use import approved_intent, judge_kept, note_outcome
from controller.access.permissions import Role
from controller.changes import ChangeKind
from controller.errors import ConflictError, MissingError
from controller.storage import tables
from shared.approvals.intents import AnyIntent
from shared.approvals.life import ApprovalEvent, ApprovalState
from shared.approvals.statement import Decision
from tests.approvers import EVERY_KIND, HOUR_MS, PARTY, PAYMENT, with_passkey
from tests.nodes import StillClock
from tests.offices import Office, other_payment


def end_overdue(office: Office) -> int:
    """One round of the job; how many requests were overdue."""
    with office.storage.write() as conn:
        ids = overdue(conn, office.clock.now_ms())
        for request_id in ids:
            end_if_overdue(conn, office.clock, request_id)
    return len(ids)


@pytest.mark.parametrize("intent", EVERY_KIND, ids=lambda intent: intent.kind.value)
def test_every_kind_of_intent_is_approved_and_handed_out_once(
    office: Office, intent: AnyIntent
) -> None:
    for name in ("alice", "bob", "dave"):
        office.appoint(name, Role.ADMINISTRATOR)
    case = office.ask(intent)
    assert office.deliver(case, with_passkey("alice").sign(case)) is ApprovalState.PENDING
    assert office.say(case, "bob") is ApprovalState.APPROVED
    with office.storage.write() as conn:
        assert approved_intent(conn, office.clock, PARTY, case.request, case.digest) == intent
        note_outcome(conn, case.request, "done")
        note_outcome(conn, case.request, "done again")
    with office.storage.read() as conn:
        row = conn.execute(select(tables.approval_requests)).one()
    assert (row.state, row.outcome, row.kind) == ("used", "done", intent.kind.value)
    assert row.decided_ms == row.ended_ms == office.clock.now_ms()
    assert office.leaves("approval.") == [
        "approval.requested",
        "approval.decision",
        "approval.decision",
        "approval.approved",
        "approval.used",
    ]


def test_every_step_is_told_to_the_page(office: Office) -> None:
    case = office.ask()
    office.say(case, "alice")
    office.say(case, "bob", Decision.REFUSE)
    with office.storage.read() as conn:
        told = conn.execute(
            select(tables.changes).where(tables.changes.c.kind == ChangeKind.APPROVAL.value)
        ).all()
    assert [change.subject for change in told] == [case.request] * 3


def test_what_is_overdue_expires_or_lapses(office: Office, clock: StillClock) -> None:
    pending, approved = office.ask(), office.ask(other_payment())
    office.say(approved, "alice")
    office.say(approved, "bob")
    assert end_overdue(office) == 0
    clock.time_ms += HOUR_MS
    assert end_overdue(office) == 1
    assert (office.state(pending), office.state(approved)) == ("expired", "approved")
    clock.time_ms = PAYMENT.deadline_ms
    assert end_overdue(office) == 1
    assert (office.state(pending), office.state(approved)) == ("expired", "lapsed")
    assert end_overdue(office) == 0
    assert office.leaves("approval.")[-2:] == ["approval.expired", "approval.lapsed"]


def test_who_approved_may_still_refuse(office: Office) -> None:
    case = office.ask()
    office.say(case, "alice")
    assert office.say(case, "alice", Decision.REFUSE) is ApprovalState.REFUSED
    with office.storage.read() as conn:
        judgement = judge_kept(conn, case, PARTY, office.clock.now_ms())
    assert (judgement.approved_by, judgement.refused_by) == (("alice",), ("alice",))


def test_an_unknown_request_is_missing(office: Office) -> None:
    with pytest.raises(MissingError), office.storage.write() as conn:
        approved_intent(conn, office.clock, PARTY, "no-such-request", bytes(32))


def test_a_step_from_an_outdated_row_changes_nothing(office: Office) -> None:
    case = office.ask()
    with office.storage.write() as conn:
        outdated = locked_request(conn, case.request)
    office.say(case, "alice", Decision.REFUSE)

    def withdraw_anyway() -> None:
        with office.storage.write() as conn:
            move(conn, office.clock, outdated, ApprovalEvent.WITHDRAW, "user:4")

    with pytest.raises(ConflictError):
        withdraw_anyway()
    assert office.state(case) == "refused"
    assert office.leaves("approval.")[-1] == "approval.refused"
