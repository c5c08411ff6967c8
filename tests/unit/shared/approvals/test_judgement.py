"""The rule: who counts, once, for exactly this, in time."""

from dataclasses import replace

import pytest

from shared.approvals.judgement import NotCountedError, SignedDecision, Trust, judge, person_of
from shared.approvals.life import ApprovalState
from shared.approvals.statement import Case, Decision, Policy
from shared.errors import BadInputError
from tests.approvers import HOUR_MS, PARTY, case_of, trust_of, with_file, with_passkey
from tests.fleets import NOW_MS

ALICE, BOB, CAROL, DAVE, EVE = map(with_file, ("alice", "bob", "carol", "dave", "eve"))
KEYS = (ALICE, BOB, CAROL, DAVE, EVE, with_file("alice", 1), with_passkey("alice"))
TRUST = trust_of(*KEYS, with_passkey("bob"), with_passkey("carol", eddsa=True))


def state(*decisions: SignedDecision, now_ms: int = NOW_MS, trust: Trust = TRUST) -> ApprovalState:
    """The state of the usual case: two of Alice, Bob and Carol; Dave asks."""
    return judge(case_of(), decisions, trust, now_ms).state


def test_a_quorum_of_named_people_approves() -> None:
    case = case_of()
    assert state() is ApprovalState.PENDING
    assert state(ALICE.sign(case)) is ApprovalState.PENDING
    assert state(ALICE.sign(case), CAROL.sign(case)) is ApprovalState.APPROVED


def test_keys_of_every_kind_count_together() -> None:
    case = case_of(quorum=3)
    decisions = [ALICE.sign(case), with_passkey("bob").sign(case)]
    decisions.append(with_passkey("carol", eddsa=True).sign(case))
    judgement = judge(case, decisions, TRUST, NOW_MS)
    assert judgement.state is ApprovalState.APPROVED
    assert judgement.approved_by == ("alice", "bob", "carol")
    assert judgement.not_counted == ()


def test_a_person_counts_once_whatever_keys_he_uses() -> None:
    case = case_of()
    said = [ALICE.sign(case), with_file("alice", 1).sign(case), with_passkey("alice").sign(case)]
    assert state(*said) is ApprovalState.PENDING
    assert judge(case, said, TRUST, NOW_MS).approved_by == ("alice",)


def test_the_initiator_never_counts_even_when_he_is_named() -> None:
    case = case_of(people=("alice", "dave"), quorum=1)
    judgement = judge(case, [DAVE.sign(case)], TRUST, NOW_MS)
    assert (judgement.state, judgement.not_counted) == (ApprovalState.PENDING, ("initiator",))


def test_who_is_not_named_does_not_count() -> None:
    case = case_of()
    judgement = judge(case, [ALICE.sign(case), EVE.sign(case)], TRUST, NOW_MS)
    assert (judgement.state, judgement.not_counted) == (ApprovalState.PENDING, ("not named",))


def test_one_refusal_of_a_named_person_ends_it_whatever_else_was_said() -> None:
    case = case_of()
    refusal = CAROL.sign(case, Decision.REFUSE)
    assert state(refusal) is ApprovalState.REFUSED
    assert state(ALICE.sign(case), BOB.sign(case), refusal) is ApprovalState.REFUSED
    assert state(refusal, now_ms=NOW_MS + HOUR_MS) is ApprovalState.REFUSED


def test_a_refusal_by_the_initiator_or_a_stranger_ends_nothing() -> None:
    case = case_of()
    assert state(DAVE.sign(case, Decision.REFUSE)) is ApprovalState.PENDING
    assert state(EVE.sign(case, Decision.REFUSE)) is ApprovalState.PENDING


def test_nothing_is_approved_from_the_expiry_on() -> None:
    case = case_of()
    said = [ALICE.sign(case), BOB.sign(case)]
    assert state(*said, now_ms=NOW_MS + HOUR_MS - 1) is ApprovalState.APPROVED
    assert state(*said, now_ms=NOW_MS + HOUR_MS) is ApprovalState.EXPIRED


def test_keys_revoked_meanwhile_do_not_count() -> None:
    case = case_of()
    said = [ALICE.sign(case), BOB.sign(case)]
    revoked = trust_of(*KEYS, revoked=("bob",))
    assert state(*said, trust=revoked) is ApprovalState.PENDING
    later = replace(BOB.key, revoked_ms=NOW_MS + 1)
    trust = Trust({ALICE.key.key_id: ALICE.key, later.key_id: later}, PARTY)
    assert state(*said, trust=trust) is ApprovalState.APPROVED
    assert state(*said, trust=trust, now_ms=NOW_MS + 1) is ApprovalState.PENDING


def test_an_approval_cannot_be_turned_into_a_refusal_nor_back() -> None:
    case = case_of()
    for decision in Decision:
        other = next(d for d in Decision if d is not decision)
        for approver in (ALICE, with_passkey("alice")):
            turned = replace(approver.sign(case, decision), decision=other)
            assert judge(case, [turned], TRUST, NOW_MS).not_counted == ("bad signature",)


@pytest.mark.parametrize(
    "other",
    [
        case_of(request="request-2"),
        case_of(quorum=1),
        case_of(people=("alice", "bob", "eve")),
        case_of(initiator="carol"),
        replace(case_of(), expires_at_ms=NOW_MS + 2 * HOUR_MS),
    ],
    ids=["another request", "a smaller quorum", "other people", "another initiator", "longer"],
)
def test_a_signature_fits_only_what_the_approver_saw(other: Case) -> None:
    case = case_of()
    for approver in (ALICE, with_passkey("alice")):
        moved = approver.sign(other)
        assert judge(case, [moved], TRUST, NOW_MS).not_counted == ("bad signature",)


def test_a_key_under_the_id_of_another_does_not_count() -> None:
    case = case_of()
    signed = BOB.sign(case)
    swapped = Trust({signed.key_id: ALICE.key}, PARTY)
    assert judge(case, [signed], swapped, NOW_MS).not_counted == ("unknown key",)


def test_passkeys_do_not_count_where_no_page_is_set_up_for_them() -> None:
    case = case_of()
    signed = with_passkey("alice").sign(case)
    with pytest.raises(NotCountedError) as refused:
        person_of(case, signed, Trust(TRUST.keys, None), NOW_MS)
    assert refused.value.reason == "passkeys not taken"


@pytest.mark.parametrize(
    ("people", "quorum"),
    [((), 1), (("alice",), 2), (("alice",), 0), (("alice", "alice"), 1), (("bob", "alice"), 1)],
)
def test_a_policy_that_cannot_be_met_is_refused(people: tuple[str, ...], quorum: int) -> None:
    with pytest.raises(BadInputError):
        Policy(people, quorum)


def test_a_policy_knows_whether_it_can_do_without_the_initiator() -> None:
    policy = Policy.of(("bob", "alice"), 2)
    assert policy.people == ("alice", "bob")
    assert policy.can_decide_without("carol")
    assert not policy.can_decide_without("alice")
