"""`bes node`: new hosts let in, watched, confirmed and thrown out, over the controller's interface.

    bes node new site-a-01 --site site-a --role site
    bes node new site-a-01 --site site-a --role site --installed
    bes node list
    bes node confirm site-a-01 "sha256:..."
    bes node revoke site-a-01 --reason "the host was stolen"
    bes node revoke controller --certificate controller.pem --reason "its key was stolen"

`new` prints one command for the host, to be given in the unpacked bundle: it installs, joins and
starts. With `--installed` it is for a host that has the software and is to join again, its unit
stopped. Either hands the token over on standard input, because everybody on a host can read the
arguments of its processes; `printf` is part of the shell and starts none. What the shell's history
keeps is worth nothing once the token is used, and after an hour in any case.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from controller.enrolment.client import Access, AnswerError, OperatorClient
from shared.errors import BadInputError
from shared.identity.fingerprints import grouped, parse_fingerprint
from shared.identity.pem import read_certificates

_DONE, _FAILED = 0, 1
_AWAITING = "awaiting confirmation"
_OPEN = ("issued", _AWAITING)


def main(argv: Sequence[str]) -> int:
    """Exit status: 0 done, 1 refused or not answered, 2 wrong arguments."""
    arguments = _parser().parse_args(list(argv))
    try:
        client = OperatorClient(_access(arguments))
        try:
            return _run(client, arguments)
        finally:
            client.close()
    except (AnswerError, BadInputError, OSError) as error:
        sys.stderr.write(f"bes node: {error}\n")
        return _FAILED


def install_command(made: Mapping[str, Any], role: str) -> str:
    """The command that installs, joins and starts, from the answer that made the token. Pure."""
    url, role = shlex.quote(str(made["url"])), shlex.quote(role)
    return _with_token(made, f"provisioning/install/install-agent.sh --role {role} --url {url}")


def join_command(made: Mapping[str, Any], role: str) -> str:
    """The command that joins an installed host, with the folders its units have. Pure."""
    url, role = shlex.quote(str(made["url"])), shlex.quote(role)
    folders = f"--config-dir /etc/bes/{role} --data-dir /var/lib/bes/{role} --role {role}"
    return _with_token(made, f"bes agent join {url} {folders}")


def _with_token(made: Mapping[str, Any], command: str) -> str:
    token, fingerprint = shlex.quote(str(made["token"])), shlex.quote(str(made["ca_fingerprint"]))
    return f"printf '%s' {token} | sudo {command} --ca-fingerprint {fingerprint} --token-stdin"


def _run(client: OperatorClient, arguments: argparse.Namespace) -> int:
    match arguments.action:
        case "new":
            _new(client, arguments)
        case "list":
            _list(client, arguments.node)
        case "confirm":
            body = {"key_fingerprint": parse_fingerprint(arguments.fingerprint)}
            found = _enrolment(client, arguments.node, (_AWAITING,))
            client.post(f"/tokens/{found['id']}/confirm", body)
            sys.stdout.write(f"{arguments.node} is let in\n")
        case "refuse":
            found = _enrolment(client, arguments.node, (_AWAITING,))
            client.post(f"/tokens/{found['id']}/refuse")
            sys.stdout.write(f"{arguments.node} is turned away\n")
        case "withdraw":
            found = _enrolment(client, arguments.node, _OPEN)
            client.post(f"/tokens/{found['id']}/withdraw")
            sys.stdout.write(f"the token of {arguments.node} is worth nothing any more\n")
        case _:
            _revoke(client, arguments)
    return _DONE


def _revoke(client: OperatorClient, arguments: argparse.Namespace) -> None:
    serial = arguments.serial
    if arguments.certificate is not None:
        serial = _serial(arguments.certificate)
    body = {
        "node": arguments.node,
        "reason": arguments.reason,
        "serial": serial,
        "unknown": arguments.unknown,
    }
    serials = client.post("/revocations", body)["serials"]
    sys.stdout.write("".join(f"revoked {serial}\n" for serial in serials))


def _new(client: OperatorClient, arguments: argparse.Namespace) -> None:
    made = client.post(
        "/tokens",
        {
            "node": arguments.node,
            "site": arguments.site,
            "site_name": arguments.site_name,
            "role": arguments.role,
            "network": arguments.network,
            "confirm_key": arguments.confirm_key,
        },
    )
    where = "" if arguments.installed else " in the unpacked bundle"
    sys.stderr.write(f"Give this on the host{where}, once, before {made['expires']}:\n\n")
    command = join_command if arguments.installed else install_command
    sys.stdout.write(f"{command(made, arguments.role)}\n")
    if arguments.confirm_key:
        sys.stderr.write(
            "\nThe host then shows its key's fingerprint. Compare it with `bes node list`, and:\n"
            f"  bes node confirm {arguments.node} FINGERPRINT\n"
        )


def _list(client: OperatorClient, node: str | None) -> None:
    for item in client.get("/tokens", node=node)["items"]:
        line = f"{item['node']}  {item['role']} at {item['site']}  {item['state']}"
        if item["state"] in _OPEN:
            line += f"  until {item['expires']}"
        sys.stdout.write(f"{line}\n")
        if item["state"] == _AWAITING:
            sys.stdout.write(f"    key {grouped(item['key_fingerprint'])}\n")
            sys.stdout.write(f"    from {item['presented_from']}\n")
    for item in client.get("/certificates", node=node)["items"]:
        sys.stdout.write(
            f"{item['node']}  certificate {item['serial']}  {item['state']}"
            f"  until {item['not_after']}\n"
        )


def _enrolment(client: OperatorClient, node: str, states: Sequence[str]) -> dict[str, Any]:
    items = client.get("/tokens", node=node, limit="10")["items"]
    for item in items:
        if item["state"] in states:
            found: dict[str, Any] = item
            return found
    raise AnswerError(f"no enrolment of {node} is {' or '.join(states)}")


def _serial(file: Path) -> str:
    try:
        pem = file.read_bytes()
    except OSError as error:
        raise BadInputError("certificate", f"{file}: {error.strerror}", "a file") from error
    return f"{read_certificates(pem)[0].serial_number:x}"


def _access(arguments: argparse.Namespace) -> Access:
    missing = [
        f"--{name.replace('_', '-')}" for name in ("url", "token_file") if not vars(arguments)[name]
    ]
    if missing:
        raise BadInputError(", ".join(missing), "missing", "given, or set in the environment")
    return Access(arguments.url, arguments.token_file, arguments.ca_file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bes node", epilog="BES_URL, BES_CA_FILE and BES_API_TOKEN_FILE stand for the options."
    )
    environment = os.environ
    parser.add_argument("--url", default=environment.get("BES_URL"), help="the controller's")
    for option, variable, text in (
        ("--ca-file", "BES_CA_FILE", "the authority that signed the controller's certificate"),
        ("--token-file", "BES_API_TOKEN_FILE", "a file with your API token"),
    ):
        found = environment.get(variable)
        default = Path(found) if found else None
        parser.add_argument(option, type=Path, default=default, metavar="FILE", help=text)
    actions = parser.add_subparsers(dest="action", required=True)
    new = actions.add_parser("new", help="a command by which a host becomes a node")
    new.add_argument("node")
    new.add_argument("--site", required=True)
    new.add_argument("--site-name", default="", help="of a site that is new")
    new.add_argument("--role", required=True, choices=["site", "signer"])
    new.add_argument("--confirm-key", action="store_true", help="let it in after `confirm` only")
    new.add_argument("--installed", action="store_true", help="the software is on the host")
    new.add_argument("--from", dest="network", metavar="NETWORK", help="from there only")
    actions.add_parser("list", help="enrolments and certificates").add_argument("--node")
    confirm = actions.add_parser("confirm", help="let a host in whose key you compared")
    confirm.add_argument("node")
    confirm.add_argument("fingerprint")
    for name, text in (
        ("refuse", "turn away a host that waits"),
        ("withdraw", "make an open token worthless"),
    ):
        actions.add_parser(name, help=text).add_argument("node")
    revoke = actions.add_parser("revoke", help="throw a node out")
    revoke.add_argument("node")
    revoke.add_argument("--reason", required=True)
    which = revoke.add_mutually_exclusive_group()
    which.add_argument("--serial", help="this certificate only")
    which.add_argument("--certificate", type=Path, metavar="FILE", help="the one in this PEM file")
    unknown = "the one named stands in no list: the database was put back since"
    revoke.add_argument("--unknown", action="store_true", help=unknown)
    return parser
