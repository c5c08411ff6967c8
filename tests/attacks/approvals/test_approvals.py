"""Attacks on approvals: each is refused, recorded, and changes nothing."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from controller.access import people
from controller.access.approvals import keys
from controller.access.approvals.attempts import RefusedAttemptError, attempt
from controller.access.approvals.requests import withdraw
from controller.access.approvals.use import approved_intent
from controller.access.permissions import Role
from controller.errors import ConflictError
from controller.storage import tables
from shared.approvals.encoding import encode
from shared.approvals.intents import PaymentOutput
from shared.approvals.judgement import SignedDecision
from shared.approvals.life import ApprovalState
from shared.approvals.statement import Case, Decision
from tests.approvers import GRANT, HOUR_MS, PARTY, PAYMENT, Ceremony, with_file, with_passkey
from tests.nodes import StillClock
from tests.offices import Office, other_payment


def refused(office: Office, case: Case, signed: SignedDecision, reason: str) -> None:
    """The answer is refused for this reason, recorded, and has changed nothing."""
    before = (office.state(case), office.answers(case), office.leaves())
    recorded = office.refusals()
    with pytest.raises(RefusedAttemptError) as raised:
        office.deliver(case, signed)
    assert raised.value.reason == reason
    assert (office.state(case), office.answers(case), office.leaves()) == before
    assert office.refusals() == sorted([*recorded, reason])


def test_approval_by_the_initiator_is_refused(office: Office) -> None:
    case = office.ask(people_named=("alice", "bob", "dave"))
    refused(office, case, with_file("dave").sign(case), "initiator")
    refused(office, case, with_passkey("dave").sign(case), "initiator")
    assert office.say(case, "alice") is ApprovalState.PENDING
    assert office.say(case, "bob") is ApprovalState.APPROVED


def test_a_refusal_by_the_initiator_is_refused(office: Office) -> None:
    case = office.ask(people_named=("alice", "bob", "dave"))
    refused(office, case, with_file("dave").sign(case, Decision.REFUSE), "initiator")


def test_a_request_that_only_its_initiator_could_approve_is_refused(office: Office) -> None:
    with pytest.raises(ConflictError, match="too few people"):
        office.ask(people_named=("alice", "dave"), quorum=2)
    assert "approval.requested" not in office.leaves()


def test_approval_of_a_changed_intent_is_refused(office: Office) -> None:
    case = office.ask()
    outputs = (PaymentOutput(150_000_000, address="bc1qattackersattackersattackersattackers"),)
    other = replace(case, intent=encode(replace(PAYMENT, outputs=outputs)))
    refused(office, case, with_file("alice").sign(other), "bad signature")
    office.say(case, "bob")
    refused(office, case, with_passkey("alice").sign(other), "bad signature")


def test_an_intent_changed_in_the_database_is_refused(office: Office) -> None:
    case = office.ask()
    office.say(case, "alice")
    changed = encode(replace(PAYMENT, fee_ceiling_sat=PAYMENT.fee_ceiling_sat * 10))
    with office.storage.write() as conn:
        conn.execute(update(tables.approval_requests).values(intent=changed))
    refused(office, case, with_file("bob").sign(case), "changed intent")
    with office.storage.write() as conn:
        digest = replace(case, intent=changed).digest
        conn.execute(update(tables.approval_requests).values(digest=digest))
    refused(office, case, with_file("bob").sign(case), "bad signature")


def test_approval_after_expiry_is_refused(office: Office, clock: StillClock) -> None:
    case = office.ask()
    office.say(case, "alice")
    clock.time_ms += HOUR_MS
    refused(office, case, with_file("bob").sign(case), "late")


def test_an_expiry_moved_in_the_database_does_not_help(office: Office, clock: StillClock) -> None:
    case = office.ask()
    office.say(case, "alice")
    clock.time_ms += HOUR_MS
    with office.storage.write() as conn:
        later = clock.time_ms + HOUR_MS
        conn.execute(update(tables.approval_requests).values(expires_ms=later))
    refused(office, case, with_file("bob").sign(case), "bad signature")
    moved = replace(case, expires_at_ms=later)
    assert office.deliver(case, with_file("bob").sign(moved)) is ApprovalState.PENDING


def test_approval_twice_by_one_person_is_refused(office: Office) -> None:
    case = office.ask()
    office.say(case, "alice")
    refused(office, case, with_file("alice").sign(case), "twice")
    refused(office, case, with_passkey("alice").sign(case), "twice")


def test_approval_by_a_revoked_key_is_refused(office: Office, clock: StillClock) -> None:
    case = office.ask()
    signed = with_file("alice").sign(case)
    _revoke(office, "alice")
    refused(office, case, signed, "revoked key")


def test_an_approval_whose_key_is_revoked_before_the_quorum_counts_no_more(office: Office) -> None:
    case = office.ask()
    office.say(case, "alice")
    _revoke(office, "alice")
    assert office.say(case, "bob") is ApprovalState.PENDING
    assert office.say(case, "carol") is ApprovalState.APPROVED


def test_use_of_an_approval_whose_key_was_revoked_since_is_refused(office: Office) -> None:
    case = _approved(office)
    _revoke(office, "alice")
    _refused_use(office, case, "no quorum any more")


def test_approval_by_an_unknown_key_is_refused(office: Office) -> None:
    case = office.ask()
    refused(office, case, with_file("alice", 5).sign(case), "unknown key")


def test_approval_by_a_key_nobody_confirmed_is_refused(office: Office) -> None:
    office.register(with_file("alice", 5), confirmed=False)
    case = office.ask()
    refused(office, case, with_file("alice", 5).sign(case), "unconfirmed key")


def test_approval_by_a_person_not_named_is_refused(office: Office) -> None:
    case = office.ask()
    refused(office, case, with_file("eve").sign(case), "not named")
    refused(office, case, with_file("eve").sign(case, Decision.REFUSE), "not named")


def test_approval_by_a_disabled_account_is_refused(office: Office) -> None:
    case = office.ask()
    office.say(case, "alice")
    with office.storage.write() as conn:
        people.set_disabled(conn, office.clock, office.users["bob"], people.HOST, disabled=True)
    refused(office, case, with_file("bob").sign(case), "not entitled")
    with office.storage.write() as conn:
        people.set_disabled(conn, office.clock, office.users["alice"], people.HOST, disabled=True)
    assert office.say(case, "carol") is ApprovalState.PENDING


def _take_role(office: Office, person: str) -> None:
    user_id = office.users[person]
    with office.storage.write() as conn:
        mine = tables.role_grants.c.user_id == user_id
        for given in conn.scalars(select(tables.role_grants.c.id).where(mine)).all():
            people.revoke(conn, office.clock, user_id, given, people.HOST)


def test_an_approval_of_who_may_decide_no_more_does_not_count(office: Office) -> None:
    case = office.ask()
    office.say(case, "alice")
    _take_role(office, "alice")
    assert office.say(case, "bob") is ApprovalState.PENDING
    assert office.say(case, "carol") is ApprovalState.APPROVED


def test_use_of_an_approval_by_who_may_decide_no_more_is_refused(office: Office) -> None:
    case = _approved(office)
    _take_role(office, "bob")
    _refused_use(office, case, "no quorum any more")


@pytest.mark.parametrize("how", ["disabled", "without the role"])
def test_use_of_what_somebody_asked_for_who_may_ask_no_more_is_refused(
    office: Office, how: str
) -> None:
    case = _approved(office)
    if how == "disabled":
        with office.storage.write() as conn:
            dave = office.users["dave"]
            people.set_disabled(conn, office.clock, dave, people.HOST, disabled=True)
    else:
        _take_role(office, "dave")
    _refused_use(office, case, "initiator not entitled")


def test_a_new_administrator_approved_by_a_former_one_is_refused(office: Office) -> None:
    for name in ("gina", "hugo"):
        office.hire(name, Role.ADMINISTRATOR)
        office.register(with_file(name))
    case = office.ask(GRANT, people_named=("gina", "alice"), quorum=1, initiator="hugo")
    refused(office, case, with_file("alice").sign(case), "not entitled")
    _take_role(office, "gina")
    office.appoint("gina", Role.OPERATOR)
    refused(office, case, with_file("gina").sign(case), "not entitled")


def test_approval_by_who_may_decide_elsewhere_only_is_refused(office: Office) -> None:
    office.hire("frank", scope="wallet:other")
    office.register(with_file("frank"))
    case = office.ask(people_named=("frank", "alice"), quorum=1)
    refused(office, case, with_file("frank").sign(case), "not entitled")


@pytest.mark.parametrize(
    "ceremony",
    [
        Ceremony(origin="https://bes.example.evil"),
        Ceremony(rp_id="evil.example"),
        Ceremony(challenge=bytes(32)),
        Ceremony(flags=0x01),
        Ceremony(extra=(("crossOrigin", True),)),
    ],
    ids=["another origin", "another RP id", "another challenge", "no user verification", "framed"],
)
def test_a_passkey_for_something_else_is_refused(office: Office, ceremony: Ceremony) -> None:
    case = office.ask()
    signed = with_passkey("alice").sign(case, ceremony=ceremony)
    refused(office, case, signed, "bad signature")


def test_a_passkey_that_was_copied_is_refused(office: Office) -> None:
    first, second = office.ask(), office.ask(other_payment())
    office.deliver(first, with_passkey("alice").sign(first, ceremony=Ceremony(counter=9)))
    copied = with_passkey("alice").sign(second, ceremony=Ceremony(counter=9))
    refused(office, second, copied, "copied passkey")


def test_approval_replayed_to_another_request_is_refused(office: Office) -> None:
    first, second = office.ask(), office.ask(other_payment())
    for approver in (with_file("alice"), with_passkey("bob")):
        signed = approver.sign(first)
        refused(office, second, signed, "bad signature")
        office.deliver(first, signed)


def test_a_second_request_for_the_same_intent_is_refused(office: Office) -> None:
    office.ask()
    with pytest.raises(ConflictError):
        office.ask()


def test_a_quorum_reduced_after_the_fact_is_refused(office: Office) -> None:
    case = office.ask(quorum=3)
    office.say(case, "alice")
    with office.storage.write() as conn:
        policy = {"people": ["alice", "bob", "carol"], "quorum": 1}
        conn.execute(update(tables.approval_requests).values(policy=policy))
    refused(office, case, with_file("bob").sign(case), "bad signature")
    with office.storage.write() as conn:
        conn.execute(update(tables.approval_requests).values(state="approved", decided_ms=1))
    _refused_use(office, case, "no quorum any more")


def test_a_state_written_into_the_database_approves_nothing(office: Office) -> None:
    case = office.ask()
    office.say(case, "alice")
    with office.storage.write() as conn:
        now_ms = office.clock.now_ms()
        conn.execute(update(tables.approval_requests).values(state="approved", decided_ms=now_ms))
    _refused_use(office, case, "no quorum any more")


def test_an_approval_turned_into_a_refusal_is_refused(office: Office) -> None:
    case = office.ask()
    turned = replace(with_file("alice").sign(case), decision=Decision.REFUSE)
    refused(office, case, turned, "bad signature")


def test_an_answer_to_what_is_decided_is_refused(office: Office) -> None:
    case = office.ask()
    office.say(case, "alice", Decision.REFUSE)
    assert office.state(case) == "refused"
    refused(office, case, with_file("bob").sign(case), "is refused")
    approved = _approved(office, 3)
    refused(office, approved, with_file("carol").sign(approved, Decision.REFUSE), "is approved")


def test_use_of_another_intent_is_refused(office: Office) -> None:
    case = _approved(office)
    _refused_use(office, replace(case, intent=encode(other_payment(7))), "changed intent")


def test_use_after_the_deadline_is_refused(office: Office, clock: StillClock) -> None:
    case = _approved(office)
    clock.time_ms = PAYMENT.deadline_ms
    _refused_use(office, case, "late")


def test_use_of_what_is_not_approved_is_refused(office: Office) -> None:
    case = office.ask()
    office.say(case, "alice")
    _refused_use(office, case, "is pending")


def test_using_an_approval_twice_is_refused(office: Office) -> None:
    case = _approved(office)
    with office.storage.write() as conn:
        assert approved_intent(conn, office.clock, PARTY, case.request, case.digest) == PAYMENT
    _refused_use(office, case, "is used")


def test_using_an_approval_at_the_same_time_is_refused_but_once(office: Office) -> None:
    case = _approved(office)
    together = threading.Barrier(4)

    def use() -> str:
        together.wait(30)
        with office.storage.write() as conn:
            approved_intent(conn, office.clock, PARTY, case.request, case.digest)
        return "used"

    results = _at_once(use, 4)
    assert sorted(results) == ["is used", "is used", "is used", "used"]
    assert office.leaves("approval.used") == ["approval.used"]


def test_the_last_approval_given_at_the_same_time_counts_but_once(office: Office) -> None:
    case = office.ask()
    office.say(case, "alice")
    together = threading.Barrier(2)
    waiting = [with_file("bob").sign(case), with_file("carol").sign(case)]

    def say() -> str:
        signed = waiting.pop()
        together.wait(30)
        return office.deliver(case, signed).value

    assert sorted(_at_once(say, 2)) == ["approved", "is approved"]
    assert office.leaves("approval.approved") == ["approval.approved"]
    assert office.answers(case) == 2


def test_a_use_that_fails_leaves_the_approval_unused(office: Office) -> None:
    case = _approved(office)

    def use_and_fail() -> None:
        with office.storage.write() as conn:
            approved_intent(conn, office.clock, PARTY, case.request, case.digest)
            raise RuntimeError("the act failed")

    with pytest.raises(RuntimeError):
        use_and_fail()
    assert office.state(case) == "approved"


def test_withdrawing_what_another_asked_for_is_refused(office: Office) -> None:
    case = office.ask()
    alice = office.users["alice"]
    with pytest.raises(RefusedAttemptError):
        attempt(
            office.storage,
            office.clock,
            f"user:{alice}",
            lambda conn: withdraw(conn, office.clock, case.request, alice, f"user:{alice}"),
        )
    assert (office.state(case), office.refusals()) == ("pending", ["not the initiator"])


def test_confirming_ones_own_key_is_refused(office: Office) -> None:
    key = office.register(with_file("alice", 5), confirmed=False)
    key_id = with_file("alice", 5).key.key_id
    for owner, given, reason in (
        ("alice", key_id, "own key"),
        ("bob", with_file("alice").key.key_id, "other fingerprint"),
    ):
        with pytest.raises(RefusedAttemptError) as raised:
            _confirm(office, key, given, owner)
        assert raised.value.reason == reason
    assert office.refusals() == ["other fingerprint", "own key"]
    with office.storage.read() as conn:
        assert keys.key_row(conn, key).confirmed_ms is None
    _confirm(office, key, key_id, "bob")
    case = office.ask()
    assert office.deliver(case, with_file("alice", 5).sign(case)) is ApprovalState.PENDING


def _confirm(office: Office, key: int, key_id: bytes, by: str) -> None:
    owner = office.owner(by)
    attempt(
        office.storage,
        office.clock,
        owner.actor,
        lambda conn: keys.confirm(conn, office.clock, key, key_id, owner),
    )


def _approved(office: Office, number: int = 0) -> Case:
    case = office.ask(other_payment(number) if number else PAYMENT)
    office.say(case, "alice")
    assert office.say(case, "bob") is ApprovalState.APPROVED
    return case


def _revoke(office: Office, person: str) -> None:
    with office.storage.write() as conn:
        for row in keys.keys_of(conn, office.users[person]):
            keys.revoke(conn, office.clock, row.id, "user:0")


def _refused_use(office: Office, case: Case, reason: str) -> None:
    before = (office.state(case), office.leaves())
    recorded = office.refusals()
    with pytest.raises(RefusedAttemptError) as raised:
        attempt(
            office.storage,
            office.clock,
            "controller",
            lambda conn: approved_intent(conn, office.clock, PARTY, case.request, case.digest),
        )
    assert raised.value.reason == reason
    assert (office.state(case), office.leaves()) == before
    assert office.refusals() == sorted([*recorded, reason])


def _at_once(work: Callable[[], str], times: int) -> list[str]:
    """What each of several threads came to: a result, or the reason of a refusal."""
    results: list[str] = []

    def run() -> None:
        try:
            results.append(work())
        except RefusedAttemptError as error:
            results.append(error.reason)

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results
