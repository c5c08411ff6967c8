"""The certificates of the controller's own host: its broker, its listener, its connection.

    python -m provisioning.install.certificates renew /etc/bes/controller/certificates.json

The file lists what is to be there; what is missing, past two thirds of its life, of another
authority or for other addresses is issued anew by the intermediate on this host, with a new key.
The roots that are pinned here are copied to where the broker reads them. Then the units that read
what is new are told; what fails, fails alone. Nodes' certificates are none of these: nodes ask for
them.
"""

import argparse
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.ca.errors import CeremonyError
from provisioning.ca.files import make_folder, read_file, replace_file
from provisioning.ca.intermediate import IntermediateFolder
from shared.errors import BadInputError
from shared.identity.errors import IdentityError
from shared.identity.issuing import Issuer, issue_leaf
from shared.identity.keys import key_pem, read_key
from shared.identity.names import addresses_of
from shared.identity.pem import certificates_pem, read_certificates
from shared.identity.profiles import Purpose
from shared.identity.requests import LeafRequest
from shared.identity.trust import issued_by

RENEW_AT = 2 / 3
_MOST = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """One certificate: a server's with addresses, a client's without. `owner` reads the key;
    `units` are restarted when it was renewed, `reload` reloads them instead."""

    name: str
    certificate: Path
    key: Path
    addresses: tuple[str, ...] = ()
    owner: str = "root"
    units: tuple[str, ...] = ()
    reload: bool = False

    @property
    def untold(self) -> Path:
        """There from before it is renewed until its units were told: a run that is cut off in
        between would leave them with what ends."""
        return self.certificate.with_name(f"{self.certificate.name}.untold")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a host is to have, and whose authority issues it; `roots` are copies of its roots."""

    authority: Path
    lifetime: timedelta
    wanted: tuple[Wanted, ...]
    roots: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Renewal:
    """What was renewed, why the rest of what was due was not, and whose units are to be told: those
    of a pair that was left half renewed are not, for they would not start with it."""

    renewed: tuple[Wanted, ...]
    failed: tuple[str, ...]
    untold: tuple[Wanted, ...]


def read_plan(text: str) -> Plan:
    """The plan in a JSON file. `BadInputError` names what is wrong with it."""
    try:
        data = json.loads(text)
        wanted = tuple(_wanted(item) for item in data["certificates"])
        roots = tuple(map(Path, data.get("roots", ())))
        plan = Plan(Path(data["authority"]), timedelta(days=float(data["days"])), wanted, roots)
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError("certificates.json", repr(error), "what the installer wrote") from error
    if not 0 < len(plan.wanted) <= _MOST or not timedelta(0) < plan.lifetime <= timedelta(days=90):
        raise BadInputError("certificates.json", "out of range", f"1 to {_MOST}, at most 90 days")
    return plan


def _wanted(item: Mapping[str, Any]) -> Wanted:
    return Wanted(
        name=str(item["name"]),
        certificate=Path(item["certificate"]),
        key=Path(item["key"]),
        addresses=tuple(map(str, item.get("addresses", ()))),
        owner=str(item.get("owner", "root")),
        units=tuple(map(str, item.get("units", ()))),
        reload=bool(item.get("reload", False)),
    )


def why_due(
    leaf: x509.Certificate, wanted: Wanted, issuer: x509.Certificate, now: datetime
) -> str | None:
    """Why a certificate is to be replaced; None while it serves. Pure."""
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if now < begins or now - begins >= (ends - begins) * RENEW_AT:
        return "two thirds of its life are over"
    if not issued_by(leaf, issuer):
        return "the authority is another one"
    if _addresses(leaf) != set(wanted.addresses):
        return "the addresses are others"
    return None


def _addresses(leaf: x509.Certificate) -> frozenset[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return frozenset()
    return addresses_of(names.value)


def renew(plan: Plan, now: datetime) -> Renewal:
    """Copies the roots, then issues what is due, each on its own: what fails is told of and leaves
    the others as good as they can be. `CeremonyError` or `IdentityError` without an authority."""
    issuer = IntermediateFolder(plan.authority).current.issuer()
    renewed, failed, untold = [], [], []
    for copy in plan.roots:
        try:
            _copy_roots(plan.authority, copy)
        except (CeremonyError, OSError) as error:
            failed.append(f"{copy}: {error}")
    for wanted in plan.wanted:
        try:
            if _reason(wanted, issuer, now) is not None:
                _issue(wanted, issuer, plan.lifetime, now)
                renewed.append(wanted)
            if wanted.untold.exists():
                untold.append(wanted)
        except (CeremonyError, IdentityError, OSError, LookupError) as error:
            failed.append(f"{wanted.name}: {error}")
    return Renewal(tuple(renewed), tuple(failed), tuple(untold))


def _copy_roots(authority: Path, copy: Path) -> None:
    """The broker watches its copy, and reads it again once it changes."""
    roots = read_file(IntermediateFolder(authority).roots)
    if not copy.exists() or read_file(copy) != roots:
        make_folder(copy.parent).chmod(0o755)
        replace_file(copy, roots)
        copy.chmod(0o644)


def _reason(wanted: Wanted, issuer: Issuer, now: datetime) -> str | None:
    if not (wanted.certificate.exists() and wanted.key.exists()):
        return "there is none yet"
    try:
        leaf = read_certificates(read_file(wanted.certificate))[0]
        if read_key(read_file(wanted.key)).public_key() != leaf.public_key():
            return "the key is another one: a renewal was cut off"
    except (IdentityError, CeremonyError) as error:
        return str(error)
    return why_due(leaf, wanted, issuer.certificate, now)


def _issue(wanted: Wanted, issuer: Issuer, lifetime: timedelta, now: datetime) -> None:
    owner = None if wanted.owner == "root" else pwd.getpwnam(wanted.owner)
    key = ec.generate_private_key(ec.SECP256R1())
    purpose = Purpose.SERVER if wanted.addresses else Purpose.CLIENT
    request = LeafRequest(wanted.name, key.public_key(), purpose, wanted.addresses)
    leaf = issue_leaf(issuer, request, now, x509.random_serial_number(), lifetime)
    for folder in {wanted.certificate.parent, wanted.key.parent}:
        make_folder(folder)
        folder.chmod(0o755)
    wanted.untold.touch()
    # The key first: between the two files a reader finds a pair that does not fit, and tries again.
    replace_file(wanted.key, key_pem(key))
    if owner is not None:
        os.chown(wanted.key, owner.pw_uid, owner.pw_gid)
    replace_file(wanted.certificate, certificates_pem((leaf, *issuer.chain)))
    wanted.certificate.chmod(0o644)


def _tell(untold: Sequence[Wanted]) -> tuple[str, ...]:
    """Has the units read what is new; what could not be told, to be tried by the next run."""
    failed = []
    for verb, chosen in (
        ("try-restart", [w for w in untold if not w.reload]),
        ("try-reload-or-restart", [w for w in untold if w.reload]),
    ):
        units = sorted({unit for wanted in chosen for unit in wanted.units})
        try:
            if units:
                subprocess.run(("systemctl", "--no-block", verb, *units), check=True, timeout=60)
            for wanted in chosen:
                wanted.untold.unlink(missing_ok=True)
        except (OSError, subprocess.SubprocessError) as error:
            failed.append(f"{', '.join(units)}: {error}")
    return tuple(failed)


def main(argv: Sequence[str]) -> int:
    """Exit status: 0 all are good, 1 something could not be done."""
    parser = argparse.ArgumentParser(prog="certificates", description=__doc__)
    parser.add_argument("action", choices=["renew"])
    parser.add_argument("plan", type=Path)
    parser.add_argument("--quiet-units", action="store_true", help="tell no unit")
    arguments = parser.parse_args(list(argv))
    try:
        plan = read_plan(arguments.plan.read_text(encoding="utf-8"))
        done = renew(plan, datetime.now(UTC))
    except (CeremonyError, IdentityError, BadInputError, OSError) as error:
        sys.stderr.write(f"certificates: {error}\n")
        return 1
    if arguments.quiet_units:
        for wanted in done.untold:
            wanted.untold.unlink()
    failed = done.failed if arguments.quiet_units else (*done.failed, *_tell(done.untold))
    for problem in failed:
        sys.stderr.write(f"certificates: {problem}\n")
    names = ", ".join(wanted.name for wanted in done.renewed)
    if names:
        sys.stdout.write(f"renewed: {names}\n")
    elif not failed:
        sys.stdout.write("every certificate is good\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
