"""Revocation lists: numbered, bounded in time, replaced early, never rolled back."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from shared.identity.errors import ForeignAuthorityError, MalformedError, StaleListError
from shared.identity.renewal import LATE_RENEWAL
from shared.identity.revocation import (
    Revocation,
    check_list,
    follows,
    issue_list,
    list_end,
    list_number,
    reissue_at,
    reissue_due,
    stays_listed,
)
from tests.identities import NOW, foreign, ours


def test_a_list_carries_its_number_and_who_is_on_it() -> None:
    gone, stays = ours().client(), ours().client("site-b-01")
    crl = ours().revoking(gone, number=41)
    assert list_number(crl) == 41
    entry = crl.get_revoked_certificate_by_serial_number(gone.certificate.serial_number)
    assert entry is not None
    assert entry.revocation_date_utc == NOW
    assert crl.get_revoked_certificate_by_serial_number(stays.certificate.serial_number) is None
    check_list(crl, ours().issuer.certificate, NOW)


def test_a_list_lasts_a_week_and_is_due_after_a_day() -> None:
    crl = ours().revoking()
    assert list_end(crl) == NOW + timedelta(days=7)
    assert timedelta(hours=23) < reissue_at(crl) - NOW < timedelta(hours=25)
    assert not reissue_due(crl, NOW)
    assert reissue_due(crl, NOW + timedelta(hours=25))


def test_a_list_past_its_end_is_refused() -> None:
    crl = ours().revoking()
    check_list(crl, ours().issuer.certificate, list_end(crl) - timedelta(seconds=1))
    with pytest.raises(StaleListError, match="ended 2026-12-02"):
        check_list(crl, ours().issuer.certificate, list_end(crl))


def test_a_list_of_another_authority_is_refused() -> None:
    with pytest.raises(ForeignAuthorityError):
        check_list(foreign().revoking(), ours().issuer.certificate, NOW)
    with pytest.raises(ForeignAuthorityError):
        check_list(ours().revoking(), ours().root.certificate, NOW)


def test_a_list_is_followed_only_by_a_higher_number_of_the_same_issuer() -> None:
    first, second = ours().revoking(number=1), ours().revoking(number=2)
    roots = issue_list(ours().root, 3, [], NOW)
    assert follows(second, first)
    assert not follows(first, second)
    assert not follows(first, first)
    assert not follows(roots, first)


@pytest.mark.parametrize("number", [0, -1, 1 << 159])
def test_a_number_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(MalformedError, match=r"crl\.number"):
        ours().revoking(number=number)


def test_a_list_without_number_or_end_is_refused() -> None:
    builder = x509.CertificateRevocationListBuilder().issuer_name(ours().issuer.certificate.subject)
    builder = builder.last_update(NOW).next_update(NOW + timedelta(days=1))
    with pytest.raises(MalformedError, match="absent"):
        list_number(builder.sign(ours().issuer.key, hashes.SHA256()))


def test_a_certificate_revoked_twice_stands_once_with_the_first_time() -> None:
    earlier = Revocation(7, NOW - timedelta(days=1), x509.ReasonFlags.key_compromise)
    crl = issue_list(ours().issuer, 1, [earlier, Revocation(7, NOW)], NOW)
    (entry,) = list(crl)
    assert entry.revocation_date_utc == NOW - timedelta(days=1)
    reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    assert reason is x509.ReasonFlags.key_compromise


def test_a_revoked_certificate_stays_listed_until_it_could_not_even_renew_late() -> None:
    ends = datetime(2026, 1, 1, tzinfo=UTC)
    assert stays_listed(ends, ends)
    assert stays_listed(ends, ends + LATE_RENEWAL - timedelta(seconds=1))
    assert not stays_listed(ends, ends + LATE_RENEWAL)
