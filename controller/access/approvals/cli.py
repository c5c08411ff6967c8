"""`bes approve`: shows what is to be approved and signs it, on the approver's own machine.

It reads the intent's bytes itself and signs what it has shown; the controller is only asked for
them, and `--request FILE` does without it. Imports shared, cryptography and the standard library.
"""

import argparse
import getpass
import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime, tzinfo
from pathlib import Path

from controller.access.approvals import signing
from controller.access.approvals.client import CallError, Client
from controller.access.approvals.signing import NotSignedError, Terminal, printable
from shared.approvals.exchange import decision_to_document
from shared.approvals.keys import fingerprint
from shared.approvals.statement import Case, Decision
from shared.errors import BadInputError


class Console:
    """The terminal of the process."""

    def tell(self, text: str) -> None:
        """See `Terminal`."""
        sys.stdout.write(text + "\n")

    def ask(self, question: str) -> str:
        """See `Terminal`."""
        sys.stdout.write(question)
        sys.stdout.flush()
        return sys.stdin.readline(1_000)

    def ask_secret(self, question: str) -> str:
        """See `Terminal`."""
        return getpass.getpass(question)


def main(argv: Sequence[str], terminal: Terminal | None = None) -> int:
    """Runs a sub-command; 0 when it did what was asked, 1 when it was refused or not confirmed."""
    arguments = _parser().parse_args(argv)
    console = terminal if terminal is not None else Console()
    commands = {"keygen": _keygen, "list": _list, "show": _show, "sign": _sign, "send": _send}
    try:
        commands[arguments.command](arguments, console)
    except (BadInputError, CallError, NotSignedError) as error:
        sys.stderr.write(f"bes approve: {printable(str(error))}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bes approve", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    keygen = commands.add_parser("keygen", help="make an approver's key")
    keygen.add_argument("--person", required=True, help="the name of your account")
    keygen.add_argument("--name", default="bes approve", help="what to call the key")
    keygen.add_argument("--key", type=Path, required=True, help="the new file of the key")
    listing = commands.add_parser("list", help="what waits for approvals")
    _add_controller(listing, required=True)
    show = commands.add_parser("show", help="a request in plain words")
    sign = commands.add_parser("sign", help="show a request, and sign a decision on it")
    for command in (show, sign):
        command.add_argument("id", nargs="?", help="the request's id")
        command.add_argument("--request", type=Path, help="the request in a file, without network")
        _add_controller(command, required=False)
    sign.add_argument("--key", type=Path, required=True, help="the file of your key")
    sign.add_argument("--refuse", action="store_true", help="sign a refusal, which ends it")
    sign.add_argument("--out", type=Path, help="write the decision to a file, send nothing")
    send = commands.add_parser("send", help="hand in a decision that was signed elsewhere")
    send.add_argument("decision", type=Path, help="what `sign --out` wrote")
    _add_controller(send, required=True)
    return parser


def _add_controller(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument("--url", required=required, help="https://HOST[:PORT] of the controller")
    parser.add_argument("--token-file", type=Path, required=required, help="your API token")
    parser.add_argument("--ca-file", type=Path, help="the CA of the controller's certificate")


def _keygen(arguments: argparse.Namespace, console: Terminal) -> None:
    key = signing.generate(arguments.key, console)
    console.tell("Register this document as yourself, and read the fingerprint to who confirms it:")
    console.tell(json.dumps(key.registration(arguments.person, arguments.name), indent=2))
    console.tell(f"Fingerprint: {fingerprint(key.key_id)}")


def _list(arguments: argparse.Namespace, console: Terminal) -> None:
    waiting = _client(arguments).waiting()
    if not waiting:
        console.tell("Nothing waits for approvals.")
        return
    console.tell("As the controller tells it; `show` and `sign` read the intent itself.")
    for item in waiting:
        told = (item.get("id"), item.get("expires"), item.get("initiator"), item.get("headline"))
        console.tell("  ".join(printable(str(part)) for part in told))


def _show(arguments: argparse.Namespace, console: Terminal) -> None:
    signing.show(_case(arguments), console, _here(), _now_ms())


def _sign(arguments: argparse.Namespace, console: Terminal) -> None:
    if arguments.out is None and arguments.url is None:
        raise BadInputError("out", "missing", "--out FILE, or --url to send it")
    if arguments.out is not None and arguments.out.exists():
        raise BadInputError("out", f"{arguments.out} is there already", "a new file")
    case = _case(arguments)
    signing.show(case, console, _here(), _now_ms())
    decision = Decision.REFUSE if arguments.refuse else Decision.APPROVE
    document = decision_to_document(signing.sign(case, decision, arguments.key, console))
    if arguments.out is not None:
        signing.write_document(arguments.out, {"request": case.request, **document})
        console.tell(f"Written to {arguments.out}. Nothing was sent.")
        return
    state = _client(arguments).send(case.request, document)
    console.tell(f"Sent. The request is {state}.")


def _send(arguments: argparse.Namespace, console: Terminal) -> None:
    request_id, document = signing.read_decision_file(arguments.decision)
    console.tell(f"The request is {_client(arguments).send(request_id, document)}.")


def _case(arguments: argparse.Namespace) -> Case:
    if (arguments.request is None) == (arguments.id is None):
        raise BadInputError("request", "none, or two", "an id, or --request FILE")
    if arguments.request is not None:
        return signing.read_request_file(arguments.request)
    return signing.read_request(_client(arguments).request(arguments.id), arguments.id)


def _client(arguments: argparse.Namespace) -> Client:
    if arguments.url is None or arguments.token_file is None:
        raise BadInputError("url", "missing", "--url and --token-file")
    return Client.of(arguments.url, arguments.token_file, arguments.ca_file)


def _here() -> tzinfo | None:
    return datetime.now().astimezone().tzinfo


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
