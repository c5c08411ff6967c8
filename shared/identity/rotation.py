"""Rotation of the root with overlap: how pinned hosts come to a new one without a visit.

The old root signs a *cross certificate* over the new root's name and key, which lasts as long as
the overlap. It does two things. While it lasts, leaves of the new hierarchy chain to the old root
for every host that knows only that. And it is the announcement: a host that pinned the old root
pins the new one because of it, and for no other reason. When the cross certificate ends, hosts that
hold both drop the old root.

    day 0          rotate: new root, cross certificate; new intermediate under the new root
    up to 7 days   all renew under the new intermediate, and show the cross certificate
    each renewal   the host is handed new root and cross certificate, and pins the new root
    day 97         the last leaf of the old hierarchy that could renew late is beyond its 90 days
    day 180        the overlap ends, the old root goes; the next rotation may begin

Servers come first: a host enrolled after day 0 pins the new root alone, and so does not believe a
server that still shows a leaf of the old one.

This protects from a root that grows old, not from one that was stolen: whoever holds the pinned
root's key can announce a root. Then every host is enrolled anew.
"""

from datetime import datetime, timedelta

from cryptography import x509

from shared.errors import BadInputError
from shared.identity.errors import ChainError, RotationError
from shared.identity.fingerprints import key_fingerprint
from shared.identity.issuing import Issuer
from shared.identity.keys import check_public_key
from shared.identity.names import common_name, described
from shared.identity.profiles import (
    CROSS_PATH,
    LEAF_LIFETIME,
    OVERLAP,
    Subject,
    Validity,
    authority_certificate,
    validity,
)
from shared.identity.renewal import LATE_RENEWAL
from shared.identity.trust import MAX_ROOTS, TrustBundle, is_authority, is_self_signed, issued_by

MIN_OVERLAP = LEAF_LIFETIME + LATE_RENEWAL
"""A shorter overlap would lock out a site that was cut off and may still renew late."""


def cross_certify(
    old: Issuer,
    new_root: x509.Certificate,
    now: datetime,
    serial: int,
    overlap: timedelta = OVERLAP,
) -> x509.Certificate:
    """The old root's signature over the new root's name and key, for the overlap.

    `old.cross` is what the old root itself came in by. `RotationError` when that is not over yet,
    the two have one name or one key, the overlap is too short, or the old root ends before it does.
    """
    when = check_may_vouch(old, now, overlap)
    if new_root.subject == old.certificate.subject:
        raise RotationError("the new root needs a name of its own")
    if key_fingerprint(new_root) == key_fingerprint(old.certificate):
        raise RotationError("the new root needs a key of its own")
    if not is_self_signed(new_root) or not is_authority(new_root):
        raise RotationError(f"{described(new_root.subject)} is no self-signed authority")
    key = check_public_key(new_root.public_key())
    who = Subject(new_root.subject, key, serial)
    return authority_certificate(who, old.signer(now), when, CROSS_PATH)


def check_may_vouch(old: Issuer, now: datetime, overlap: timedelta = OVERLAP) -> Validity:
    """When the overlap would be; `RotationError` when this root cannot vouch for a new one now."""
    if overlap < MIN_OVERLAP:
        raise RotationError(f"an overlap of {overlap.days} days, at least {MIN_OVERLAP.days}")
    for earlier in old.cross:
        if now <= earlier.not_valid_after_utc:
            raise RotationError(
                f"the overlap of the last rotation lasts until {earlier.not_valid_after_utc:%F}: a "
                "host that knows only the root before could not follow two at once"
            )
    when = validity(now, overlap)
    if when.ends > old.certificate.not_valid_after_utc:
        raise RotationError(
            f"the old root ends {old.certificate.not_valid_after_utc:%Y-%m-%d}, before the "
            f"overlap does: rotate {MIN_OVERLAP.days} days before a root's end at the latest"
        )
    return when


def accept_root(
    trust: TrustBundle, new_root: x509.Certificate, cross: x509.Certificate, now: datetime
) -> TrustBundle:
    """The bundle with the new root, if a root that is pinned and counts vouches for it.

    A root that is held already changes nothing. `RotationError` says why one is not accepted.
    """
    if trust.holds(new_root):
        return trust
    _check_new_root(new_root, now)
    if cross.subject != new_root.subject or key_fingerprint(cross) != key_fingerprint(new_root):
        raise RotationError("the cross certificate is for another root")
    if not is_authority(cross):
        raise RotationError("the cross certificate is none of an authority")
    if not any(issued_by(cross, anchor) for anchor in trust.anchors(now)):
        raise RotationError("no root pinned here vouches for the new one")
    if not cross.not_valid_before_utc <= now < cross.not_valid_after_utc:
        raise RotationError(
            f"the cross certificate holds from {cross.not_valid_before_utc:%Y-%m-%d} to "
            f"{cross.not_valid_after_utc:%Y-%m-%d}, this host's clock says {now:%Y-%m-%d}"
        )
    if len(trust.roots) >= MAX_ROOTS:
        raise RotationError(f"{MAX_ROOTS} roots are pinned already: drop those that are over")
    return trust.with_root(new_root, cross)


def old_may_go_at(cross: x509.Certificate) -> datetime:
    """When the overlap ends and the root that signed `cross` counts no more."""
    return cross.not_valid_after_utc


def rotate_before(root: x509.Certificate, overlap: timedelta = OVERLAP) -> datetime:
    """The last moment at which a root can still vouch for its successor for the whole overlap."""
    return root.not_valid_after_utc - overlap


def _check_new_root(new_root: x509.Certificate, now: datetime) -> None:
    try:
        check_public_key(new_root.public_key())
        common_name(new_root.subject)
    except (BadInputError, ChainError) as error:
        raise RotationError(f"the new root: {error}") from error
    if not is_self_signed(new_root) or not is_authority(new_root):
        raise RotationError(f"{described(new_root.subject)} is no self-signed authority")
    if not new_root.not_valid_before_utc <= now < new_root.not_valid_after_utc:
        raise RotationError(
            f"the new root holds from {new_root.not_valid_before_utc:%Y-%m-%d}, "
            f"this host's clock says {now:%Y-%m-%d}"
        )
