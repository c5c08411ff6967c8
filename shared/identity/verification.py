"""Verification of a chain against the pinned roots, with an error of its own for each fault.

The path is built by `cryptography.x509.verification` (RFC 5280). Faults of time are told apart from
foreign chains by building the path again at a time when the leaf was good: only a certificate that
truly is ours is called expired or not yet valid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.x509 import verification

from shared.identity.errors import (
    ChainError,
    ExpiredError,
    ForeignAuthorityError,
    IdentityError,
    MalformedError,
    NotYetValidError,
    RevokedError,
    StaleListError,
    WrongNameError,
    WrongPurposeError,
)
from shared.identity.names import addresses_of, described, node_of
from shared.identity.pem import check_readable
from shared.identity.profiles import Purpose
from shared.identity.renewal import has_expired
from shared.identity.revocation import check_list, is_list_of, list_number
from shared.identity.trust import TrustBundle

MAX_CHAIN = 6
_MAX_DEPTH = 3
_MOMENT = timedelta(seconds=1)

Lists = Sequence[x509.CertificateRevocationList]


@dataclass(frozen=True, slots=True)
class Verified:
    """Who it is, and the path from its certificate to the root."""

    node: str
    path: tuple[x509.Certificate, ...]

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate itself."""
        return self.path[0]

    @property
    def root(self) -> x509.Certificate:
        """The pinned root at the end of the path."""
        return self.path[-1]


def verify_client(
    chain: Sequence[x509.Certificate],
    trust: TrustBundle,
    now: datetime,
    *,
    node: str | None = None,
    lists: Lists | None = None,
) -> Verified:
    """Who the client of a chain (leaf first) is; refused when it is not `node`, if that is given.

    With `lists`, each authority's newest is consulted and the leaf's issuer must have one (an
    absent or stale list is no proof of being unrevoked); None leaves revocation to the caller.
    """
    verified = _verify(chain, trust, now, Purpose.CLIENT, lists)
    if node is not None and verified.node != node:
        raise WrongNameError(verified.node, node)
    return verified


def verify_server(
    chain: Sequence[x509.Certificate],
    trust: TrustBundle,
    now: datetime,
    address: str,
    *,
    lists: Lists | None = None,
) -> Verified:
    """As `verify_client`, for a server that was reached under `address` (IP or DNS name, exact)."""
    verified = _verify(chain, trust, now, Purpose.SERVER, lists)
    found = _addresses(verified.leaf)
    if address not in found:
        raise WrongNameError(", ".join(sorted(found)) or "(no address)", address)
    return verified


def verify_late(
    chain: Sequence[x509.Certificate],
    trust: TrustBundle,
    now: datetime,
    *,
    node: str | None = None,
    lists: Lists | None = None,
) -> Verified:
    """As `verify_client`, for a certificate that may have expired: judged as of its last moment.

    How late is too late is `renewal.may_renew_expired`; that it is not revoked is judged at `now`.
    """
    if not chain:
        raise MalformedError("chain", "empty", f"1 to {MAX_CHAIN} certificates")
    verified = verify_client(chain, trust, min(now, chain[0].not_valid_after_utc), node=node)
    if lists is not None:
        _check_revocation(verified.path, lists, now)
    return verified


def _verify(
    chain: Sequence[x509.Certificate],
    trust: TrustBundle,
    now: datetime,
    purpose: Purpose,
    lists: Lists | None,
) -> Verified:
    if not 1 <= len(chain) <= MAX_CHAIN:
        allowed = f"1 to {MAX_CHAIN} certificates"
        raise MalformedError("chain", f"{len(chain)} of them", allowed)
    for certificate in chain:
        check_readable(certificate)
    try:
        path = _path(chain, trust.anchors(now), now)
    except verification.VerificationError as error:
        raise _why(chain, trust, now, error) from error
    _check_purpose(path[0], purpose)
    verified = Verified(node_of(path[0]), path)
    if lists is not None:
        _check_revocation(path, lists, now)
    return verified


def _path(
    chain: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], now: datetime
) -> tuple[x509.Certificate, ...]:
    # The web's rules, but for the two that are checked here and not by the library: a client of
    # ours has no alternative name, and the purpose gets an error of its own.
    leaf_rules = verification.ExtensionPolicy.webpki_defaults_ee()
    leaf_rules = leaf_rules.may_be_present(
        x509.SubjectAlternativeName, verification.Criticality.AGNOSTIC, None
    ).require_present(x509.ExtendedKeyUsage, verification.Criticality.AGNOSTIC, None)
    builder = (
        verification.PolicyBuilder()
        .store(verification.Store(list(anchors)))
        .time(now)
        .max_chain_depth(_MAX_DEPTH)
        .extension_policies(
            ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(), ee_policy=leaf_rules
        )
    )
    return tuple(builder.build_client_verifier().verify(chain[0], list(chain[1:])).chain)


def _why(
    chain: Sequence[x509.Certificate], trust: TrustBundle, now: datetime, error: Exception
) -> IdentityError:
    leaf = chain[0]
    for moment in (leaf.not_valid_after_utc - _MOMENT, leaf.not_valid_before_utc + _MOMENT):
        try:
            path = _path(chain, trust.roots, moment)
        except verification.VerificationError:
            continue
        for certificate in path:
            name = described(certificate.subject)
            if now < certificate.not_valid_before_utc:
                return NotYetValidError(name, certificate.not_valid_before_utc, now)
            if has_expired(certificate, now):
                return ExpiredError(name, certificate.not_valid_after_utc, now)
        return ForeignAuthorityError("the chain rests on a root whose overlap is over")
    subject = described(leaf.subject)
    return ForeignAuthorityError(
        f"no chain leads from the certificate of {subject}, issued by {described(leaf.issuer)}, "
        f"to a root pinned here: {str(error)[:200]}"
    )


def _check_purpose(leaf: x509.Certificate, purpose: Purpose) -> None:
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    if list(usage) != [purpose.oid]:
        raise WrongPurposeError(
            f"the certificate of {described(leaf.subject)} is not for a {purpose}"
        )


def _addresses(leaf: x509.Certificate) -> frozenset[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return addresses_of(names)
    except x509.ExtensionNotFound:
        return frozenset()
    except MalformedError as error:
        raise ChainError(f"the server's names: {error.problem}") from error


def _check_revocation(path: tuple[x509.Certificate, ...], lists: Lists, now: datetime) -> None:
    for depth, (certificate, issuer) in enumerate(pairwise(path)):
        own = [crl for crl in lists if is_list_of(crl, issuer)]
        if not own:
            if depth == 0:
                raise StaleListError(described(issuer.subject), None, now)
            continue
        newest = max(own, key=list_number)
        check_list(newest, issuer, now)
        entry = newest.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is not None:
            raise RevokedError(
                described(certificate.subject), entry.serial_number, entry.revocation_date_utc
            )
