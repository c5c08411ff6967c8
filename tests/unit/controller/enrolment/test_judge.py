"""Whether a host is let in: each rule by itself."""

from dataclasses import replace

import pytest

from controller.enrolment.judge import (
    DELIVER_WITHIN_MS,
    TOKEN_LIFETIME_MS,
    Attempt,
    Offer,
    Refusal,
    Verdict,
    is_within,
    judge,
)
from controller.enrolment.life import EnrolmentState

NOW_MS = 1_800_000_000_000
KEY, OTHER = b"k" * 32, b"o" * 32
OFFER = Offer(
    state=EnrolmentState.ISSUED,
    node="site-a-01",
    confirm_key=False,
    network=None,
    expires_ms=NOW_MS + TOKEN_LIFETIME_MS,
    key_sha256=None,
    finished_ms=None,
)
ATTEMPT = Attempt("site-a-01", KEY, "192.0.2.7")
USED = replace(OFFER, state=EnrolmentState.USED, key_sha256=KEY, finished_ms=NOW_MS)
WAITING = replace(OFFER, state=EnrolmentState.AWAITING_CONFIRMATION, key_sha256=KEY)


def test_a_good_token_admits() -> None:
    assert judge(OFFER, ATTEMPT, NOW_MS) is Verdict.ISSUE


def test_where_the_key_is_to_be_confirmed_the_operator_is_asked() -> None:
    assert judge(replace(OFFER, confirm_key=True), ATTEMPT, NOW_MS) is Verdict.LAY_BEFORE_OPERATOR
    assert judge(WAITING, ATTEMPT, NOW_MS) is Verdict.WAIT


@pytest.mark.parametrize(
    ("offer", "attempt", "refusal"),
    [
        (None, ATTEMPT, Refusal.UNKNOWN_TOKEN),
        (OFFER, replace(ATTEMPT, node="site-a-02"), Refusal.WRONG_NAME),
        (replace(OFFER, network="198.51.100.0/24"), ATTEMPT, Refusal.WRONG_PLACE),
        (replace(OFFER, expires_ms=NOW_MS), ATTEMPT, Refusal.LATE),
        (replace(OFFER, state=EnrolmentState.EXPIRED), ATTEMPT, Refusal.LATE),
        (replace(OFFER, state=EnrolmentState.WITHDRAWN), ATTEMPT, Refusal.WITHDRAWN),
        (replace(OFFER, state=EnrolmentState.REFUSED), ATTEMPT, Refusal.NOT_CONFIRMED),
        (USED, replace(ATTEMPT, key_sha256=OTHER), Refusal.USED),
        (WAITING, replace(ATTEMPT, key_sha256=OTHER), Refusal.OTHER_KEY),
        (replace(WAITING, expires_ms=NOW_MS), ATTEMPT, Refusal.LATE),
    ],
)
def test_each_reason_to_refuse(offer: Offer | None, attempt: Attempt, refusal: Refusal) -> None:
    assert judge(offer, attempt, NOW_MS) is refusal


def test_a_lost_answer_is_delivered_again_for_an_hour() -> None:
    assert judge(USED, ATTEMPT, NOW_MS + DELIVER_WITHIN_MS - 1) is Verdict.DELIVER_AGAIN
    assert judge(USED, ATTEMPT, NOW_MS + DELIVER_WITHIN_MS) is Refusal.USED


@pytest.mark.parametrize(
    ("address", "network", "within"),
    [
        ("192.0.2.7", None, True),
        ("192.0.2.7", "192.0.2.0/24", True),
        ("192.0.2.7", "192.0.2.7/32", True),
        ("192.0.3.7", "192.0.2.0/24", False),
        ("::ffff:192.0.2.7", "192.0.2.0/24", True),
        ("2001:db8::1", "2001:db8::/32", True),
        ("2001:db8::1", "192.0.2.0/24", False),
        ("", "192.0.2.0/24", False),
        ("testclient", "192.0.2.0/24", False),
    ],
)
def test_places(address: str, network: str | None, within: bool) -> None:
    assert is_within(address, network) is within
