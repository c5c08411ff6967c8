"""What stands in an authority's folder or file, as lines or as data for JSON."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from cryptography import x509

from provisioning.ca.errors import CeremonyError
from provisioning.ca.files import read_file
from shared.identity.fingerprints import key_fingerprint
from shared.identity.names import described
from shared.identity.pem import read_certificates, read_list
from shared.identity.revocation import list_end, list_number, reissue_at
from shared.identity.rotation import rotate_before
from shared.identity.trust import is_authority, is_self_signed

Row = Mapping[str, str | int]

_FOLDER_FILES = (
    "root.pem",
    "cross.pem",
    "root.crl",
    "roots.pem",
    "current/chain.pem",
    "issued/*.pem",
)


def rows(place: Path, now: datetime) -> list[Row]:
    """One row a certificate or list found in a folder of `bes ca`, or in one PEM file."""
    if place.is_dir():
        files = [file for pattern in _FOLDER_FILES for file in sorted(place.glob(pattern))]
    else:
        files = [place]
    found = [row for file in files for row in _of_file(file, file.name, now)]
    if not found:
        raise CeremonyError(f"{place} holds nothing of an authority's")
    return found


def lines(found: Iterable[Row]) -> str:
    """The rows for a person: a line each, its fingerprint under it."""
    text = []
    for row in found:
        more = ", ".join(f"{key} {value}" for key, value in row.items() if key not in _PLACED)
        text.append(f"{row['file']}: {row['kind']} {row['name']!r}, ends {row['ends']}, {more}")
        if "fingerprint" in row:
            text.append(f"    {row['fingerprint']}")
    return "\n".join((*text, ""))


_PLACED = ("file", "kind", "name", "ends", "fingerprint")


def _of_file(file: Path, name: str, now: datetime) -> list[Row]:
    pem = read_file(file)
    if b"BEGIN X509 CRL" in pem:
        return [{"file": name, **_list(read_list(pem), now)}]
    return [{"file": name, **_certificate(c, now)} for c in read_certificates(pem)]


def _certificate(certificate: x509.Certificate, now: datetime) -> dict[str, str | int]:
    row: dict[str, str | int] = {
        "kind": _kind(certificate),
        "name": described(certificate.subject),
        "ends": _day(certificate.not_valid_after_utc),
        "state": _state(certificate, now),
        "serial": f"{certificate.serial_number:x}",
        "issuer": described(certificate.issuer),
        "fingerprint": key_fingerprint(certificate),
    }
    if is_self_signed(certificate):
        row["rotate_before"] = _day(rotate_before(certificate))
    return row


def _list(crl: x509.CertificateRevocationList, now: datetime) -> dict[str, str | int]:
    return {
        "kind": "revocation list",
        "name": described(crl.issuer),
        "ends": _day(list_end(crl)),
        "state": "over" if now >= list_end(crl) else "good",
        "number": list_number(crl),
        "revoked": len(crl),
        "due": _day(reissue_at(crl)),
    }


def _kind(certificate: x509.Certificate) -> str:
    if is_self_signed(certificate):
        return "root"
    if not is_authority(certificate):
        return "leaf"
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    return "cross certificate" if constraints.path_length else "intermediate"


def _state(certificate: x509.Certificate, now: datetime) -> str:
    if now < certificate.not_valid_before_utc:
        return "not yet valid"
    return "over" if now >= certificate.not_valid_after_utc else "good"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
