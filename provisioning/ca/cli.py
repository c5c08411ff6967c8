"""`bes ca`: the ceremony of the company's authority, a step a sub-command.

Passphrases come from a private file or the terminal, never from an argument.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from provisioning.ca import intermediate, root, show
from provisioning.ca.errors import CeremonyError
from provisioning.ca.files import read_file, replace_file
from provisioning.ca.intermediate import IntermediateFolder
from provisioning.ca.root import NewRoot, RootFolder
from provisioning.ca.sealed import passphrase_from
from shared.identity.errors import IdentityError
from shared.identity.fingerprints import grouped, key_fingerprint
from shared.identity.names import described
from shared.identity.profiles import OVERLAP
from shared.identity.revocation import list_end, list_number
from shared.identity.rotation import MIN_OVERLAP

_DAYS_A_YEAR = 365.25


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one step; 1 when it was refused (nothing was changed), 2 for a wrong command line."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.step(arguments, datetime.now(UTC))
    except (CeremonyError, IdentityError) as error:
        sys.stderr.write(f"bes ca: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"bes ca: {error}\n")
        return 1
    return 0


def _init(arguments: argparse.Namespace, now: datetime) -> None:
    folder = RootFolder(arguments.folder)
    passphrase = passphrase_from(
        arguments.passphrase_file, "the root", new=not folder.certificate.exists()
    )
    lifetime = timedelta(days=arguments.years * _DAYS_A_YEAR)
    step = root.init(NewRoot(folder, arguments.name, passphrase), now, lifetime)
    _say("made" if step.made else "stands already", folder.certificate)
    _say_fingerprint(key_fingerprint(step.certificate))


def _request(arguments: argparse.Namespace, now: datetime) -> None:
    del now
    requested = intermediate.request(IntermediateFolder(arguments.folder), arguments.name)
    _say("made" if requested.made else "waits already", requested.file)
    _say_fingerprint(requested.fingerprint)


def _sign(arguments: argparse.Namespace, now: datetime) -> None:
    folder = RootFolder(arguments.root)
    passphrase = passphrase_from(arguments.passphrase_file, "the root", new=False)
    request_pem = read_file(arguments.request)
    step, carried = root.sign(folder, passphrase, request_pem, arguments.fingerprint, now)
    if arguments.out.exists() and read_file(arguments.out) != carried:
        raise CeremonyError(f"{arguments.out} exists and is not overwritten")
    replace_file(arguments.out, carried)
    _say("signed" if step.made else "signed before", arguments.out)
    _say_fingerprint(key_fingerprint(folder.read_certificate()), "root")


def _install(arguments: argparse.Namespace, now: datetime) -> None:
    folder = IntermediateFolder(arguments.folder)
    carried = read_file(arguments.certificate)
    installed = intermediate.install(folder, carried, arguments.fingerprint, now)
    _say("installed" if installed.made else "installed before", folder.current.chain)
    for fingerprint in installed.trust.fingerprints:
        _say_fingerprint(fingerprint, "pinned root")


def _retire(arguments: argparse.Namespace, now: datetime) -> None:
    folder = IntermediateFolder(arguments.folder)
    gone = intermediate.retire(folder, now)
    for certificate in gone:
        sys.stdout.write(f"dropped: {described(certificate.subject)}\n")
    if not gone:
        sys.stdout.write("no root's overlap is over\n")


def _rotate(arguments: argparse.Namespace, now: datetime) -> None:
    old, new = RootFolder(arguments.old), RootFolder(arguments.folder)
    old_passphrase = passphrase_from(arguments.old_passphrase_file, "the old root", new=False)
    passphrase = passphrase_from(
        arguments.passphrase_file, "the new root", new=not new.certificate.exists()
    )
    overlap = timedelta(days=arguments.overlap_days)
    wanted = NewRoot(new, arguments.name, passphrase)
    made, cross = root.rotate(old, old_passphrase, wanted, now, overlap)
    _say("made" if made.made else "stands already", new.certificate)
    _say_fingerprint(key_fingerprint(made.certificate), "new root")
    ends = cross.certificate.not_valid_after_utc
    sys.stdout.write(f"the old root vouches for it until {ends:%Y-%m-%d}, then it goes\n")


def _crl(arguments: argparse.Namespace, now: datetime) -> None:
    folder = RootFolder(arguments.root)
    passphrase = passphrase_from(arguments.passphrase_file, "the root", new=False)
    lifetime = timedelta(days=arguments.days)
    made, crl = root.renew_list(folder, passphrase, arguments.revoke, now, lifetime)
    _say("issued" if made else "not due", folder.list)
    sys.stdout.write(f"number {list_number(crl)}, {len(crl)} revoked, ends {list_end(crl):%F}\n")


def _show(arguments: argparse.Namespace, now: datetime) -> None:
    found = show.rows(arguments.place, now)
    sys.stdout.write(json.dumps(found, indent=2) + "\n" if arguments.json else show.lines(found))


def _say(what: str, file: Path) -> None:
    sys.stdout.write(f"{what}: {file}\n")


def _say_fingerprint(fingerprint: str, whose: str = "fingerprint") -> None:
    sys.stdout.write(f"{whose}: {fingerprint}\n    {grouped(fingerprint)}\n")


class _WholeWords(argparse.ArgumentParser):
    """Takes no abbreviations: `--passphrase SECRET` would count as `--passphrase-file`."""

    def __init__(self, **options: Any) -> None:
        options["allow_abbrev"] = False
        super().__init__(**options)


def _parser() -> argparse.ArgumentParser:
    parser = _WholeWords(prog="bes ca", description=__doc__)
    steps = parser.add_subparsers(required=True, metavar="STEP")
    _add_root_steps(steps)
    _add_intermediate_steps(steps)
    shown = steps.add_parser("show", help="fingerprints and ends of what a folder or file holds")
    shown.add_argument("place", type=Path)
    shown.add_argument("--json", action="store_true")
    shown.set_defaults(step=_show)
    return parser


def _add_root_steps(steps: "argparse._SubParsersAction[_WholeWords]") -> None:
    init = steps.add_parser("init", help="make the offline root")
    init.add_argument("--folder", type=Path, required=True)
    init.add_argument("--name", required=True)
    init.add_argument("--years", type=_years, default=10)
    init.add_argument("--passphrase-file", type=Path)
    init.set_defaults(step=_init)
    rotate = steps.add_parser("rotate", help="make a new root that the old one vouches for")
    rotate.add_argument("--old", type=Path, required=True, help="folder of the old root")
    rotate.add_argument("--folder", type=Path, required=True, help="folder of the new root")
    rotate.add_argument("--name", required=True)
    rotate.add_argument("--overlap-days", type=_overlap_days, default=OVERLAP.days)
    rotate.add_argument("--old-passphrase-file", type=Path)
    rotate.add_argument("--passphrase-file", type=Path)
    rotate.set_defaults(step=_rotate)
    crl = steps.add_parser("crl", help="issue the root's revocation list")
    crl.add_argument("--root", type=Path, required=True)
    crl.add_argument("--revoke", action="append", default=[], metavar="SERIAL")
    crl.add_argument("--days", type=_list_days, default=root.ROOT_LIST_LIFETIME.days)
    crl.add_argument("--passphrase-file", type=Path)
    crl.set_defaults(step=_crl)


def _add_intermediate_steps(steps: "argparse._SubParsersAction[_WholeWords]") -> None:
    parser = steps.add_parser(
        "intermediate", help="the controller's authority: request, sign, install; retire"
    )
    parts = parser.add_subparsers(required=True, metavar="STEP")
    request = parts.add_parser("request", help="on the controller's host: make a key, ask")
    request.add_argument("--folder", type=Path, required=True)
    request.add_argument("--name", required=True)
    request.set_defaults(step=_request)
    sign = parts.add_parser("sign", help="where the root is: sign what was asked")
    sign.add_argument("--root", type=Path, required=True)
    sign.add_argument("--request", type=Path, required=True)
    sign.add_argument("--fingerprint", required=True, help="of the request, as its host printed it")
    sign.add_argument("--out", type=Path, required=True)
    sign.add_argument("--passphrase-file", type=Path)
    sign.set_defaults(step=_sign)
    install = parts.add_parser("install", help="on the controller's host: take it into use")
    install.add_argument("--folder", type=Path, required=True)
    install.add_argument("--certificate", type=Path, required=True, help="what `sign` wrote")
    install.add_argument("--fingerprint", help="of the root, the first time")
    install.set_defaults(step=_install)
    retire = parts.add_parser("retire", help="drop the roots whose overlap is over")
    retire.add_argument("--folder", type=Path, required=True)
    retire.set_defaults(step=_retire)


def _years(text: str) -> int:
    return _between(text, 1, 30)


def _list_days(text: str) -> int:
    return _between(text, 7, 1_100)


def _overlap_days(text: str) -> int:
    return _between(text, MIN_OVERLAP.days, 1_100)


def _between(text: str, least: int, most: int) -> int:
    number = int(text)
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{number} (allowed: {least} to {most})")
    return number
