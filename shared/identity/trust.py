"""What a host trusts: the roots it pinned, and the cross certificates that led it to new ones.

A bundle is one PEM file: self-signed certificates are roots, the others are cross certificates
(a newer root's key under an older root's signature). The end of a cross certificate is the end of
the overlap: from then on the older root counts no more where the newer one is held.
"""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from shared.identity.errors import ForeignAuthorityError, MalformedError
from shared.identity.fingerprints import certificate_sha256, key_fingerprint, matches
from shared.identity.names import described
from shared.identity.pem import UNREADABLE, certificates_pem, read_certificates

MAX_ROOTS = 4


@dataclass(frozen=True, slots=True)
class TrustBundle:
    """Pinned roots, oldest first, and the cross certificates by which later ones were accepted."""

    roots: tuple[x509.Certificate, ...]
    cross: tuple[x509.Certificate, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.roots) <= MAX_ROOTS:
            raise MalformedError("roots", f"{len(self.roots)} of them", f"1 to {MAX_ROOTS}")
        for root in self.roots:
            if not is_self_signed(root) or not is_authority(root):
                problem = f"{described(root.subject)} is no self-signed authority"
                raise MalformedError("roots", problem, "self-signed authorities")
        for cross in self.cross:
            if not is_authority(cross) or is_self_signed(cross):
                problem = f"{described(cross.subject)} is no cross certificate"
                raise MalformedError("cross", problem, "authorities signed by another root")

    def anchors(self, now: datetime) -> tuple[x509.Certificate, ...]:
        """The roots that count at `now`: those held, without the ones whose overlap is over."""
        return tuple(root for root in self.roots if not self._is_superseded(root, now))

    def pruned(self, now: datetime) -> "TrustBundle":
        """Without the roots whose overlap is over; keep it only where the clock can be believed."""
        anchors = self.anchors(now)
        kept = [c for c in self.cross if any(issued_by(c, root) for root in anchors)]
        return TrustBundle(anchors, tuple(kept))

    def with_root(self, root: x509.Certificate, cross: x509.Certificate) -> "TrustBundle":
        """With a newer root; `shared.identity.rotation.accept_root` decides whether."""
        return TrustBundle((*self.roots, root), (*self.cross, cross))

    def holds(self, root: x509.Certificate) -> bool:
        """Whether this very root is pinned."""
        return any(certificate_sha256(root) == certificate_sha256(r) for r in self.roots)

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of the roots' keys, in the text form that is compared."""
        return tuple(key_fingerprint(root) for root in self.roots)

    def pem(self) -> bytes:
        """The whole bundle, to be kept."""
        return certificates_pem((*self.roots, *self.cross))

    def anchors_pem(self, now: datetime) -> bytes:
        """Only what counts at `now`: a TLS library's file of authorities."""
        return certificates_pem(self.anchors(now))

    def _is_superseded(self, root: x509.Certificate, now: datetime) -> bool:
        return any(
            now >= cross.not_valid_after_utc
            and issued_by(cross, root)
            and any(key_fingerprint(newer) == key_fingerprint(cross) for newer in self.roots)
            for cross in self.cross
        )


def read_bundle(pem: bytes) -> TrustBundle:
    """A bundle as `TrustBundle.pem` wrote it."""
    certificates = read_certificates(pem)
    roots = tuple(c for c in certificates if is_self_signed(c))
    return TrustBundle(roots, tuple(c for c in certificates if not is_self_signed(c)))


def pin(offered: bytes, fingerprint: str) -> TrustBundle:
    """Of the certificates that a controller offers (PEM), the root with the fingerprint.

    `ForeignAuthorityError` when none has it: somebody else answers, or the wrong company's.
    """
    for certificate in read_certificates(offered):
        if is_self_signed(certificate) and matches(certificate, fingerprint):
            return TrustBundle((certificate,))
    raise ForeignAuthorityError(
        "none of the authorities offered has the fingerprint that was given: is this the right "
        "controller, and is nothing in between?"
    )


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Whether its own key signed it."""
    return issued_by(certificate, certificate)


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may sign certificates."""
    try:
        extensions = certificate.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return False
    return constraints.ca and usage.key_cert_sign


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` is named as its issuer and its key made the signature."""
    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True
