"""The offline root's end of the ceremony. Its folder:

root.key       encrypted (`sealed`)          cross.pem      the older root's signature, if any
root.pem       the root's certificate        revoked.json   intermediates that count no more
issued/        every authority it signed     root.crl       its revocation list
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from provisioning.ca.errors import CeremonyError
from provisioning.ca.files import make_folder, read_file, read_private, replace_file, write_new
from provisioning.ca.sealed import SALT_BYTES, seal, unseal
from shared.identity.fingerprints import key_fingerprint, parse_fingerprint
from shared.identity.issuing import Issuer, issue_intermediate, make_root
from shared.identity.names import common_name, subject
from shared.identity.pem import (
    certificates_pem,
    read_certificate,
    read_certificates,
    read_list,
    read_request,
)
from shared.identity.profiles import OVERLAP, ROOT_LIFETIME
from shared.identity.requests import check_authority_request
from shared.identity.revocation import Revocation, issue_list, list_number, reissue_due
from shared.identity.rotation import check_may_vouch, cross_certify
from shared.time import from_ms, to_ms

ROOT_LIST_LIFETIME = timedelta(days=365)
"""A root is brought out once a year at the least."""


@dataclass(frozen=True, slots=True)
class RootFolder:
    """Where an offline root's files are."""

    path: Path

    @property
    def key(self) -> Path:
        """The encrypted key."""
        return self.path / "root.key"

    @property
    def certificate(self) -> Path:
        """The certificate."""
        return self.path / "root.pem"

    @property
    def cross(self) -> Path:
        """The cross certificate by the root before it."""
        return self.path / "cross.pem"

    @property
    def issued(self) -> Path:
        """A folder of what it signed, by serial number."""
        return self.path / "issued"

    @property
    def revoked(self) -> Path:
        """The record of what it revoked."""
        return self.path / "revoked.json"

    @property
    def list(self) -> Path:
        """Its revocation list."""
        return self.path / "root.crl"

    def read_certificate(self) -> x509.Certificate:
        """The root's certificate."""
        return read_certificate(read_file(self.certificate))

    def issuer(self, passphrase: bytes) -> Issuer:
        """The root, able to sign, with what the root before it said."""
        key = unseal(read_private(self.key), passphrase)
        return Issuer(key, self.read_certificate(), self.read_cross())

    def read_cross(self) -> tuple[x509.Certificate, ...]:
        """The cross certificate, where the root has one."""
        return read_certificates(read_file(self.cross)) if self.cross.exists() else ()


@dataclass(frozen=True, slots=True)
class Step:
    """What a step left: whether it changed anything, and the certificate it is about."""

    made: bool
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class NewRoot:
    """A root to be: where, its name, its passphrase."""

    folder: RootFolder
    name: str
    passphrase: bytes


def init(new: NewRoot, now: datetime, lifetime: timedelta = ROOT_LIFETIME) -> Step:
    """Makes the root; again with the same name, it only says so. Another name is refused."""
    folder = new.folder
    if folder.certificate.exists():
        certificate = folder.read_certificate()
        if common_name(certificate.subject) != new.name:
            raise CeremonyError(
                f"{folder.path} holds the root {common_name(certificate.subject)!r} already"
            )
        folder.issuer(new.passphrase)
        return Step(made=False, certificate=certificate)
    who = subject(new.name)
    make_folder(folder.path)
    key = _key_of(folder, new.passphrase)
    certificate = make_root(key, common_name(who), now, x509.random_serial_number(), lifetime)
    write_new(folder.certificate, certificates_pem((certificate,)))
    return Step(made=True, certificate=certificate)


def sign(
    folder: RootFolder, passphrase: bytes, request_pem: bytes, fingerprint: str, now: datetime
) -> tuple[Step, bytes]:
    """Signs an intermediate's request, and returns what is carried back to its host, in PEM.

    `fingerprint` is what the host printed; a request of another key is refused. The same request
    signed before is answered with the same certificate.
    """
    request = read_request(request_pem)
    check_authority_request(request)
    found = key_fingerprint(request)
    if found != parse_fingerprint(fingerprint):
        raise CeremonyError(
            f"the request is of the key {found}, not of the one whose fingerprint was given"
        )
    root = folder.issuer(passphrase)
    known = _issued_for(folder, request, now)
    if known is None:
        certificate = issue_intermediate(root, request, now, x509.random_serial_number())
        _record(folder, certificate)
    else:
        certificate = known
    carried = certificates_pem((certificate, *root.cross, root.certificate))
    return Step(made=known is None, certificate=certificate), carried


def rotate(
    old: RootFolder,
    old_passphrase: bytes,
    new: NewRoot,
    now: datetime,
    overlap: timedelta = OVERLAP,
) -> tuple[Step, Step]:
    """Makes a new root in a folder of its own, and lets the old one vouch for it.

    What cannot be is refused before anything is made. Returns the new root and the cross
    certificate.
    """
    issuer = old.issuer(old_passphrase)
    if common_name(issuer.certificate.subject) == new.name:
        raise CeremonyError(f"{new.name!r} is the old root's name: the new one needs its own")
    if new.folder.cross.exists():
        return init(new, now), Step(made=False, certificate=new.folder.read_cross()[0])
    check_may_vouch(issuer, now, overlap)
    root = init(new, now)
    cross = cross_certify(issuer, root.certificate, now, x509.random_serial_number(), overlap)
    _record(old, cross)
    write_new(new.folder.cross, certificates_pem((cross,)))
    return root, Step(made=True, certificate=cross)


def renew_list(
    folder: RootFolder,
    passphrase: bytes,
    revoke: Sequence[str],
    now: datetime,
    lifetime: timedelta = ROOT_LIST_LIFETIME,
) -> tuple[bool, x509.CertificateRevocationList]:
    """Issues the root's next list when something is revoked or the last one is due.

    `revoke` are serial numbers in hexadecimal, of certificates that this root issued.
    """
    root = folder.issuer(passphrase)
    entries = _revocations(folder)
    known = {entry.serial for entry in entries}
    fresh = [_serial_of(folder, text) for text in revoke]
    entries += [Revocation(serial, now) for serial in dict.fromkeys(fresh) if serial not in known]
    current = read_list(read_file(folder.list)) if folder.list.exists() else None
    listed = set() if current is None else {entry.serial_number for entry in current}
    if (
        current is not None
        and listed == {entry.serial for entry in entries}
        and not reissue_due(current, now)
    ):
        return False, current
    _write_revocations(folder, entries)
    number = 1 if current is None else list_number(current) + 1
    crl = issue_list(root, number, entries, now, lifetime)
    replace_file(folder.list, crl.public_bytes(Encoding.PEM))
    return True, crl


def _key_of(folder: RootFolder, passphrase: bytes) -> ec.EllipticCurvePrivateKey:
    if folder.key.exists():  # An earlier run ended between the key and the certificate.
        return unseal(read_private(folder.key), passphrase)
    key = ec.generate_private_key(ec.SECP256R1())
    write_new(folder.key, seal(key, passphrase, secrets.token_bytes(SALT_BYTES)))
    return key


def _record(folder: RootFolder, certificate: x509.Certificate) -> None:
    make_folder(folder.issued)
    path = folder.issued / f"{certificate.serial_number:x}.pem"
    write_new(path, certificates_pem((certificate,)))


def _issued_for(
    folder: RootFolder, request: x509.CertificateSigningRequest, now: datetime
) -> x509.Certificate | None:
    if not folder.issued.is_dir():
        return None
    revoked = {entry.serial for entry in _revocations(folder)}
    for path in sorted(folder.issued.glob("*.pem")):
        certificate = read_certificate(read_file(path))
        if (
            certificate.subject == request.subject
            and key_fingerprint(certificate) == key_fingerprint(request)
            and now < certificate.not_valid_after_utc
        ):
            if certificate.serial_number in revoked:
                raise CeremonyError("this key's certificate was revoked: make a new request")
            return certificate
    return None


def _serial_of(folder: RootFolder, text: str) -> int:
    try:
        serial = int(text, 16)
    except ValueError as error:
        raise CeremonyError(f"{text[:80]!r} is no serial number in hexadecimal") from error
    if not (folder.issued / f"{serial:x}.pem").exists():
        raise CeremonyError(f"this root issued no certificate with the serial number {serial:x}")
    return serial


def _revocations(folder: RootFolder) -> list[Revocation]:
    if not folder.revoked.exists():
        return []
    try:
        rows: list[dict[str, Any]] = json.loads(read_file(folder.revoked))
        return [Revocation(int(row["serial"], 16), from_ms(row["revoked_ms"])) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise CeremonyError(f"{folder.revoked} is damaged: {error}") from error


def _write_revocations(folder: RootFolder, entries: Sequence[Revocation]) -> None:
    rows = [
        {"serial": f"{entry.serial:x}", "revoked_ms": to_ms(entry.revoked)} for entry in entries
    ]
    replace_file(folder.revoked, json.dumps(rows, indent=2).encode() + b"\n")
