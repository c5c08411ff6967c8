"""Whether a certificate is renewed: each rule by itself."""

from dataclasses import replace

import pytest

from controller.enrolment.renewal import (
    LATE_RENEWAL_MS,
    CertificateState,
    Held,
    RenewalRefusal,
    RenewalVerdict,
    Wish,
    judge_renewal,
)

END_MS = 1_800_000_000_000
OLD, NEW, OTHER = b"o" * 32, b"n" * 32, b"x" * 32
HELD = Held(CertificateState.ACTIVE, "site-a-01", OLD, END_MS, None)
RENEWED = replace(HELD, state=CertificateState.SUPERSEDED, successor_key_sha256=NEW)
WISH = Wish("site-a-01", NEW)


@pytest.mark.parametrize(
    ("held", "now_ms", "verdict"),
    [
        (HELD, END_MS - 1, RenewalVerdict.ISSUE),
        (HELD, END_MS, RenewalVerdict.ISSUE_LATE),
        (HELD, END_MS + LATE_RENEWAL_MS - 1, RenewalVerdict.ISSUE_LATE),
        (HELD, END_MS + LATE_RENEWAL_MS, RenewalRefusal.TOO_LATE),
        (RENEWED, END_MS, RenewalVerdict.DELIVER_AGAIN),
    ],
)
def test_when_it_is_renewed(
    held: Held, now_ms: int, verdict: RenewalVerdict | RenewalRefusal
) -> None:
    assert judge_renewal(held, WISH, now_ms, proven=True) is verdict


@pytest.mark.parametrize(
    ("held", "wish", "proven", "refusal"),
    [
        (None, WISH, True, RenewalRefusal.UNKNOWN_CERTIFICATE),
        (HELD, WISH, False, RenewalRefusal.NOT_PROVEN),
        (replace(HELD, state=CertificateState.REVOKED), WISH, True, RenewalRefusal.REVOKED),
        (HELD, Wish("site-a-02", NEW), True, RenewalRefusal.WRONG_NAME),
        (HELD, Wish("site-a-01", OLD), True, RenewalRefusal.SAME_KEY),
        (RENEWED, Wish("site-a-01", OTHER), True, RenewalRefusal.SUPERSEDED),
    ],
)
def test_each_reason_to_refuse(
    held: Held | None, wish: Wish, proven: bool, refusal: RenewalRefusal
) -> None:
    assert judge_renewal(held, wish, END_MS - 1, proven=proven) is refusal


def test_nothing_is_told_of_a_certificate_to_who_cannot_prove_its_key() -> None:
    for state in CertificateState:
        held = replace(HELD, state=state)
        answer = judge_renewal(held, Wish("other", OTHER), END_MS * 2, proven=False)
        assert answer is RenewalRefusal.NOT_PROVEN
