"""Whatever is signed, by whom, over what and when: only a true quorum approves."""

from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.approvals.encoding import decode, encode
from shared.approvals.intents import AnyIntent
from shared.approvals.judgement import SignedDecision, judge
from shared.approvals.life import ApprovalState
from shared.approvals.statement import Case, Decision
from shared.errors import BadInputError
from tests.approvers import (
    EVERY_KIND,
    PAYMENT,
    Ed25519Approver,
    PasskeyApprover,
    case_of,
    trust_of,
    with_file,
    with_passkey,
)
from tests.fleets import NOW_MS

PEOPLE = ("alice", "bob", "carol", "dave", "eve")
APPROVERS: tuple[Ed25519Approver | PasskeyApprover, ...] = tuple(
    make(person) for person in PEOPLE for make in (with_file, with_passkey)
)
PROPER = "this"
OVER = (PROPER, PROPER, "another request", "another intent", "another quorum", "a broken byte")


@dataclass(frozen=True, slots=True)
class Said:
    """Who said what with which of his keys, over what."""

    approver: int
    decision: Decision
    over: str


SAID = st.builds(
    Said,
    approver=st.integers(0, len(APPROVERS) - 1),
    decision=st.sampled_from((*[Decision.APPROVE] * 4, Decision.REFUSE)),
    over=st.sampled_from(OVER),
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any policy and any initiator."""
    people = draw(st.lists(st.sampled_from(PEOPLE), min_size=1, unique=True))
    quorum = draw(st.integers(1, len(people)))
    return case_of(people=tuple(people), quorum=quorum, initiator=draw(st.sampled_from(PEOPLE)))


def signed(case: Case, said: Said) -> SignedDecision:
    """The signature, over the case or something near it."""
    approver = APPROVERS[said.approver]
    other = {
        "another request": replace(case, request="request-2"),
        "another intent": replace(case, intent=encode(replace(PAYMENT, unique=bytes(16)))),
        "another quorum": replace(case, expires_at_ms=case.expires_at_ms + 1),
    }.get(said.over, case)
    made = approver.sign(other, said.decision)
    if said.over == "a broken byte":
        return replace(made, signature=made.signature[:-1] + bytes([made.signature[-1] ^ 1]))
    return made


@settings(max_examples=150, deadline=None)
@given(
    case=cases(),
    said=st.lists(SAID, max_size=10),
    revoked=st.sets(st.sampled_from(PEOPLE), max_size=2),
    late=st.booleans(),
)
def test_only_a_quorum_of_other_named_people_on_exactly_this_in_time_approves(
    case: Case, said: list[Said], revoked: set[str], *, late: bool
) -> None:
    now_ms = case.expires_at_ms if late else NOW_MS
    trust = trust_of(*APPROVERS, revoked=tuple(revoked))
    judgement = judge(case, [signed(case, one) for one in said], trust, now_ms)

    may = set(case.policy.people) - {case.initiator} - revoked
    counted = [one for one in said if one.over == PROPER]
    people = {
        decision: {APPROVERS[one.approver].person for one in counted if one.decision is decision}
        & may
        for decision in Decision
    }
    approved = people[Decision.APPROVE]
    if people[Decision.REFUSE]:
        expected = ApprovalState.REFUSED
    elif late:
        expected = ApprovalState.EXPIRED
    elif len(approved) >= case.policy.quorum:
        expected = ApprovalState.APPROVED
    else:
        expected = ApprovalState.PENDING
    assert judgement.state is expected
    assert set(judgement.approved_by) == approved


@settings(max_examples=150, deadline=None)
@given(
    intent=st.sampled_from(EVERY_KIND),
    place=st.integers(0, 10_000),
    flip=st.integers(1, 255),
)
def test_any_changed_byte_of_the_intent_makes_every_approval_void(
    intent: AnyIntent, place: int, flip: int
) -> None:
    case = case_of(intent, quorum=2)
    approvals = [with_file("alice").sign(case), with_passkey("bob").sign(case)]
    trust = trust_of(*APPROVERS)
    assert judge(case, approvals, trust, NOW_MS).state is ApprovalState.APPROVED
    changed = bytearray(case.intent)
    changed[place % len(changed)] ^= flip
    judgement = judge(replace(case, intent=bytes(changed)), approvals, trust, NOW_MS)
    assert judgement.state is ApprovalState.PENDING
    assert judgement.approved_by == ()


@settings(max_examples=300, deadline=None)
@given(intent=st.sampled_from(EVERY_KIND), place=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_changed_intent_is_another_intent_or_none(
    intent: AnyIntent, place: int, flip: int
) -> None:
    changed = bytearray(encode(intent))
    changed[place % len(changed)] ^= flip
    try:
        read = decode(bytes(changed))
    except BadInputError:
        return
    assert encode(read) == bytes(changed)
    assert encode(read) != encode(intent)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_as_an_intent_or_refused(content: bytes) -> None:
    try:
        read = decode(content)
    except BadInputError:
        return
    assert encode(read) == content
