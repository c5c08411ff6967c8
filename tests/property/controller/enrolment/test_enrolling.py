"""Whatever is tried in whatever order: at most one key gets a certificate for a token."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from controller.enrolment.judge import (
    CONFIRM_WITHIN_MS,
    TOKEN_LIFETIME_MS,
    Attempt,
    Offer,
    Verdict,
    judge,
)
from controller.enrolment.life import TERMINAL, EnrolmentEvent, EnrolmentState, after

KEYS = (b"a" * 32, b"b" * 32, b"c" * 32)
ATTEMPTS = st.builds(
    Attempt,
    node=st.sampled_from(["site-a-01", "site-a-02"]),
    key_sha256=st.sampled_from(KEYS),
    address=st.sampled_from(["10.1.2.3", "192.0.2.1", "::1", ""]),
)
STEPS = st.one_of(
    ATTEMPTS,
    st.sampled_from([EnrolmentEvent.CONFIRMED, EnrolmentEvent.REFUSED, EnrolmentEvent.WITHDRAWN]),
)
OFFERS = st.builds(
    Offer,
    state=st.just(EnrolmentState.ISSUED),
    node=st.just("site-a-01"),
    confirm_key=st.booleans(),
    network=st.sampled_from([None, "10.0.0.0/8"]),
    expires_ms=st.just(TOKEN_LIFETIME_MS),
    key_sha256=st.none(),
    finished_ms=st.none(),
)


def _tried(offer: Offer, attempt: Attempt, now_ms: int) -> tuple[Offer, bytes | None]:
    """The offer after an attempt, and the key that got a certificate by it."""
    match judge(offer, attempt, now_ms):
        case Verdict.ISSUE:
            state = after(offer.state, EnrolmentEvent.ADMITTED)
            key = attempt.key_sha256
            return replace(offer, state=state, key_sha256=key, finished_ms=now_ms), key
        case Verdict.LAY_BEFORE_OPERATOR:
            state = after(offer.state, EnrolmentEvent.LAID_BEFORE_OPERATOR)
            until_ms = now_ms + CONFIRM_WITHIN_MS
            key = attempt.key_sha256
            return replace(offer, state=state, key_sha256=key, expires_ms=until_ms), None
        case _:
            return offer, None


@given(OFFERS, st.lists(st.tuples(STEPS, st.integers(0, 1_200_000)), max_size=25))
def test_at_most_one_key_ever_gets_a_certificate(
    offer: Offer, steps: list[tuple[Attempt | EnrolmentEvent, int]]
) -> None:
    issued: list[bytes] = []
    now_ms = 0
    for step, later_ms in steps:
        now_ms += later_ms
        before = offer
        if isinstance(step, Attempt):
            offer, key = _tried(offer, step, now_ms)
            if key is not None:
                issued.append(key)
                assert step.node == "site-a-01"
                assert offer.network is None or step.address == "10.1.2.3"
                assert now_ms < TOKEN_LIFETIME_MS
        else:
            state = after(offer.state, step)
            if state is EnrolmentState.USED is not offer.state:
                assert offer.key_sha256 is not None
                issued.append(offer.key_sha256)
                offer = replace(offer, finished_ms=now_ms)
            offer = replace(offer, state=state)
        if before.state in TERMINAL:
            assert offer == before
    assert len(issued) <= 1


@given(OFFERS, ATTEMPTS, st.sampled_from(list(EnrolmentState)), st.integers(0, 10**13))
def test_the_same_question_gets_the_same_answer(
    offer: Offer, attempt: Attempt, state: EnrolmentState, now_ms: int
) -> None:
    offer = replace(offer, state=state)
    assert judge(offer, attempt, now_ms) == judge(offer, attempt, now_ms)
