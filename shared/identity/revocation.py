"""Revocation lists (RFC 5280 section 5): numbered, with an end, and issued anew well before it.

A broker refuses every client once its list is past its end, so a list lasts a week and is issued
anew daily: six failures in a row are needed before anyone is locked out. A revoked certificate
stays on the list until it could not even renew itself late any more.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from shared.identity.errors import ForeignAuthorityError, MalformedError, StaleListError
from shared.identity.issuing import Issuer
from shared.identity.keys import check_public_key, digest_for
from shared.identity.names import described
from shared.identity.pem import UNREADABLE
from shared.identity.profiles import validity
from shared.identity.renewal import LATE_RENEWAL

LIST_LIFETIME = timedelta(days=7)
_REISSUED_AFTER = 7
"""A list is due for replacement after this part (one seventh) of its life."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """One certificate that counts no more."""

    serial: int
    revoked: datetime
    reason: x509.ReasonFlags = x509.ReasonFlags.unspecified


def issue_list(
    issuer: Issuer,
    number: int,
    revocations: Iterable[Revocation],
    now: datetime,
    lifetime: timedelta = LIST_LIFETIME,
) -> x509.CertificateRevocationList:
    """The list of this number (ascending, at least 1); one entry a serial, the first one given."""
    if not 0 < number < 1 << 159:
        raise MalformedError("crl.number", f"{number}", "1 to 159 bits, ascending")
    name, key = issuer.signer(now)
    when = validity(now, lifetime)
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(name)
        .last_update(when.begins)
        .next_update(when.ends)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(authority_key, critical=False)
    )
    seen: set[int] = set()
    for revocation in revocations:
        if revocation.serial not in seen:
            seen.add(revocation.serial)
            builder = builder.add_revoked_certificate(_entry(revocation))
    return builder.sign(key, digest_for(key))


def list_number(crl: x509.CertificateRevocationList) -> int:
    """The list's number; `MalformedError` when it has none."""
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except (x509.ExtensionNotFound, *UNREADABLE) as error:
        raise MalformedError("crl.number", "absent", "a CRL number (RFC 5280)") from error


def list_end(crl: x509.CertificateRevocationList) -> datetime:
    """When the list ends; `MalformedError` when it never does."""
    if crl.next_update_utc is None:
        raise MalformedError("crl.next_update", "absent", "an end")
    return crl.next_update_utc


def reissue_at(crl: x509.CertificateRevocationList) -> datetime:
    """From when on the next list should be issued."""
    return crl.last_update_utc + (list_end(crl) - crl.last_update_utc) / _REISSUED_AFTER


def reissue_due(crl: x509.CertificateRevocationList, now: datetime) -> bool:
    """Whether it is time for the next list."""
    return now >= reissue_at(crl)


def stays_listed(certificate_ends: datetime, now: datetime) -> bool:
    """Whether a revoked certificate must still stand on the lists."""
    return now < certificate_ends + LATE_RENEWAL


def check_list(
    crl: x509.CertificateRevocationList, issuer: x509.Certificate, now: datetime
) -> None:
    """Refuses a list that is not by this issuer or is past its end (`StaleListError`)."""
    if not is_list_of(crl, issuer):
        raise ForeignAuthorityError(
            f"the revocation list is not signed by {described(issuer.subject)}"
        )
    if now >= list_end(crl):
        raise StaleListError(described(issuer.subject), list_end(crl), now)


def is_list_of(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Whether it names this issuer and its key made the signature."""
    key = check_public_key(issuer.public_key())
    return crl.issuer == issuer.subject and crl.is_signature_valid(key)


def follows(new: x509.CertificateRevocationList, old: x509.CertificateRevocationList) -> bool:
    """Whether a list may replace another: same issuer, higher number; none is rolled back."""
    return new.issuer == old.issuer and list_number(new) > list_number(old)


def _entry(revocation: Revocation) -> x509.RevokedCertificate:
    builder = (
        x509.RevokedCertificateBuilder()
        .serial_number(revocation.serial)
        .revocation_date(revocation.revoked.replace(microsecond=0))
    )
    if revocation.reason is not x509.ReasonFlags.unspecified:
        builder = builder.add_extension(x509.CRLReason(revocation.reason), critical=False)
    return builder.build()
