"""`bes keys`: makes an encrypted key file on the signer's host, and shows its public keys.

Words, keys and passphrases come from files that only their owner can read, or from a systemd
credential; nothing secret is an argument or is printed.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agent.signer.key_file.content import Content, HeldSecret
from agent.signer.key_file.errors import KeyFileError
from agent.signer.key_file.files import (
    read_credential,
    read_key_file,
    read_passphrase,
    read_secret_lines,
    write_key_file,
)
from agent.signer.key_file.store import KeyFileStore
from shared.bitcoin.bip32 import KeyPath
from shared.bitcoin.networks import Network
from shared.errors import BadInputError
from shared.secret import Secret

DONE, REFUSED = 0, 1
_NAMES: Final = {one.value: one for one in Network}


def main(argv: Sequence[str]) -> int:
    """Exit status: 0 done, 1 refused."""
    arguments = _parser().parse_args(list(argv))
    commands = {"make": _make, "show": _show}
    try:
        commands[arguments.command](arguments)
    except BadInputError as error:
        sys.stderr.write(f"bes keys: {error}\n")
        return REFUSED
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bes keys", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make", help="encrypt words or extended private keys")
    make.add_argument("--network", choices=sorted(_NAMES), required=True)
    make.add_argument(
        "--secrets",
        type=Path,
        required=True,
        metavar="FILE",
        help="a key on each line: the words, or [origin]xprv",
    )
    show = commands.add_parser("show", help="print the public keys with their origins")
    show.add_argument("--path", metavar="48h/0h/0h/2h", help="the account below each master key")
    for one in (make, show):
        one.add_argument("--file", type=Path, required=True, metavar="KEYFILE")
        source = one.add_mutually_exclusive_group(required=True)
        source.add_argument("--passphrase-file", type=Path, metavar="FILE")
        source.add_argument("--passphrase-credential", metavar="NAME", help="of the systemd unit")
    return parser


def _make(arguments: argparse.Namespace) -> None:
    path: Path = arguments.file
    if path.exists():
        raise KeyFileError("--file", "is there already", "a new file: none is replaced")
    network = _NAMES[arguments.network]
    lines = read_secret_lines(arguments.secrets)
    content = Content(network, tuple(HeldSecret.of_text(line, network) for line in lines))
    write_key_file(path, content, _passphrase(arguments))
    sys.stdout.write(f"{len(content.keys)} keys are in {path}: {_origins(content)}\n")


def _show(arguments: argparse.Namespace) -> None:
    content = read_key_file(arguments.file, _passphrase(arguments))
    store = KeyFileStore(content)
    path = KeyPath() if arguments.path is None else KeyPath.parse(arguments.path)
    for one in store.held_keys():
        origin = one.origin if one.origin.path.indices else one.origin.child(path)
        public = store.public_at(origin)
        if public is None:
            raise KeyFileError("--path", "no key there", "a path that BIP32 has")
        sys.stdout.write(f"[{origin}]{public.serialise(content.network)}\n")


def _passphrase(arguments: argparse.Namespace) -> Secret:
    if arguments.passphrase_file is not None:
        return read_passphrase(arguments.passphrase_file)
    return read_credential(arguments.passphrase_credential, os.environ)


def _origins(content: Content) -> str:
    return ", ".join(str(one.origin) for one in content.keys)
