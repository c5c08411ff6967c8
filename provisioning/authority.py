"""A throw-away authority for the demonstration and the tests: a root and an intermediate in memory.

What it issues is what a real deployment has (`shared.identity`), but its keys end with the process
and it makes its holders' keys for them. A company's own authority comes from `provisioning.ca`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from provisioning.ca.files import replace_file
from shared.identity.issuing import Issuer, issue_intermediate, issue_leaf, make_root
from shared.identity.keys import key_pem
from shared.identity.pem import certificates_pem, read_certificates
from shared.identity.profiles import Purpose
from shared.identity.requests import LeafRequest, build_authority_request
from shared.identity.revocation import LIST_LIFETIME, Revocation, issue_list
from shared.identity.rotation import accept_root, cross_certify
from shared.identity.trust import TrustBundle

_BEFORE = timedelta(days=400)
"""How long ago the authority pretends to have begun, so that it can issue what is long over."""
_LASTS = timedelta(days=800)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files of one identity, in PEM; the certificate's holds the intermediate's as well."""

    certificate_file: Path
    key_file: Path


class Authority:
    """Issues leaves that last `lifetime` unless told otherwise."""

    def __init__(self, name: str, lifetime: timedelta = timedelta(days=1)) -> None:
        self._name = name
        self._begins = datetime.now(UTC) - _BEFORE
        self._lifetime = lifetime
        self._revocations: list[Revocation] = []
        self._list_number = 0
        self._root = _root(f"{name}, root", self._begins)
        self.issuer = _intermediate(self._root, f"{name}, intermediate", self._begins)
        self.trust = TrustBundle((self._root.certificate,))
        """What a host that pinned the root, and followed its rotations, trusts."""

    def rotate(self) -> x509.Certificate:
        """A new root that the old one vouches for, and a new intermediate; the cross certificate.

        What is issued from here on is of the new hierarchy.
        """
        now = datetime.now(UTC)
        number = len(self.trust.roots) + 1
        new = _root(f"{self._name}, root {number}", self._begins)
        cross = cross_certify(self._root, new.certificate, now, x509.random_serial_number())
        name = f"{self._name}, intermediate {number}"
        self.issuer = _intermediate(new, name, self._begins, (cross,))
        self.trust = accept_root(self.trust, new.certificate, cross, now)
        self._root = new
        return cross

    def write_certificate(self, path: Path) -> Path:
        """Writes the certificates of the roots that count."""
        path.write_bytes(self.trust.anchors_pem(datetime.now(UTC)))
        return path

    def issue(
        self,
        folder: Path,
        common_name: str,
        addresses: tuple[str, ...] = (),
        *,
        now: datetime | None = None,
        lifetime: timedelta | None = None,
    ) -> Credentials:
        """Makes a key and a certificate in `folder`, named after `common_name`.

        With `addresses` (IP addresses or DNS names) it serves as a server's, without as a client's.
        `now` is when it is issued, up to a year back or ahead.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        purpose = Purpose.SERVER if addresses else Purpose.CLIENT
        certificate = issue_leaf(
            self.issuer,
            LeafRequest(common_name, key.public_key(), purpose, addresses),
            now or datetime.now(UTC),
            x509.random_serial_number(),
            lifetime or self._lifetime,
        )
        credentials = Credentials(folder / f"{common_name}.pem", folder / f"{common_name}.key")
        chain = (certificate, *self.issuer.chain)
        credentials.certificate_file.write_bytes(certificates_pem(chain))
        replace_file(credentials.key_file, key_pem(key))
        return credentials

    def revoke(self, *credentials: Credentials) -> None:
        """Puts certificates on the next list."""
        now = datetime.now(UTC)
        for each in credentials:
            leaf = read_certificates(each.certificate_file.read_bytes())[0]
            self._revocations.append(Revocation(leaf.serial_number, now))

    def write_list(
        self, path: Path, *, now: datetime | None = None, lifetime: timedelta = LIST_LIFETIME
    ) -> Path:
        """Writes the next revocation list."""
        self._list_number += 1
        crl = issue_list(
            self.issuer, self._list_number, self._revocations, now or datetime.now(UTC), lifetime
        )
        path.write_bytes(crl.public_bytes(serialization.Encoding.PEM))
        return path


def _root(name: str, begins: datetime) -> Issuer:
    key = ec.generate_private_key(ec.SECP256R1())
    return Issuer(key, make_root(key, name, begins, x509.random_serial_number(), _LASTS))


def _intermediate(
    root: Issuer, name: str, begins: datetime, cross: tuple[x509.Certificate, ...] = ()
) -> Issuer:
    key = ec.generate_private_key(ec.SECP256R1())
    request = build_authority_request(key, name)
    certificate = issue_intermediate(root, request, begins, x509.random_serial_number(), _LASTS)
    return Issuer(key, certificate, cross)


@dataclass(frozen=True, slots=True)
class CommandKey:
    """Files of the Ed25519 key that signs commands, in PEM."""

    private_file: Path
    public_file: Path


def make_command_key(folder: Path) -> CommandKey:
    """Makes the key that the controller signs commands with."""
    key = ed25519.Ed25519PrivateKey.generate()
    files = CommandKey(folder / "commands.key", folder / "commands.pub")
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    replace_file(files.private_file, pem)
    files.public_file.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return files
