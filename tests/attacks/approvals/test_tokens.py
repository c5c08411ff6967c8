"""Somebody asks with a stolen API token; then it is ended, and what he asked for is not begun."""

import pytest
from sqlalchemy import select, update

from controller.access.api_tokens import NewToken, create_token, revoke_token
from controller.access.approvals.attempts import RefusedAttemptError, attempt
from controller.access.approvals.requests import note_token
from controller.access.approvals.use import approved_intent
from controller.access.permissions import Permission
from controller.storage import tables
from shared.approvals.life import ApprovalState
from shared.approvals.statement import Case
from tests.approvers import PARTY, PAYMENT
from tests.nodes import StillClock
from tests.offices import INITIATOR, Office

_DAY_MS = 86_400_000


def asked_with_token(office: Office) -> tuple[Case, int]:
    """A request that the initiator's program made, approved; with the program's token."""
    wanted = NewToken("program", frozenset({Permission.APPROVALS_REQUEST}), days=1)
    case = office.ask()
    with office.storage.write() as conn:
        user_id = office.users[INITIATOR]
        token = create_token(conn, office.clock, user_id, wanted, f"user:{user_id}")
        note_token(conn, case.request, token.id)
    office.say(case, "alice")
    assert office.say(case, "bob") is ApprovalState.APPROVED
    return case, token.id


def use(office: Office, case: Case) -> None:
    """As whoever acts on it does."""
    intent = attempt(
        office.storage,
        office.clock,
        "controller",
        lambda conn: approved_intent(conn, office.clock, PARTY, case.request, case.digest),
    )
    assert intent == PAYMENT


@pytest.mark.parametrize("how", ["revoked", "expired", "without the permission", "unknown"])
def test_use_of_what_was_asked_for_with_a_token_that_is_good_no_more_is_refused(
    office: Office, clock: StillClock, how: str
) -> None:
    case, token_id = asked_with_token(office)
    if how == "expired":
        clock.real_time_ms += _DAY_MS
    with office.storage.write() as conn:
        if how == "revoked":
            assert revoke_token(conn, clock, office.users[INITIATOR], token_id, "user:0")
        elif how == "without the permission":
            conn.execute(update(tables.api_tokens).values(permissions=["fleet:read"]))
        elif how == "unknown":
            conn.execute(update(tables.approval_requests).values(token_id=token_id + 1))
    before = (office.state(case), office.leaves())
    with pytest.raises(RefusedAttemptError, match="no longer good") as raised:
        use(office, case)
    assert raised.value.reason == "initiator's token not good"
    assert (office.state(case), office.leaves()) == before
    assert office.refusals() == ["initiator's token not good"]


def test_use_of_what_was_asked_for_with_a_good_token_is_not_refused(
    office: Office, clock: StillClock
) -> None:
    case, _ = asked_with_token(office)
    clock.real_time_ms += _DAY_MS - 1
    use(office, case)
    assert office.state(case) == ApprovalState.USED.value


def test_what_was_asked_for_in_a_session_hangs_on_no_token(office: Office) -> None:
    case = office.ask()
    with office.storage.write() as conn:
        note_token(conn, case.request, None)
        kept = select(tables.approval_requests.c.token_id)
        assert conn.scalars(kept).all() == [None]
    office.say(case, "alice")
    office.say(case, "bob")
    use(office, case)
