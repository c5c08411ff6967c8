"""`bes audit`: export the log, verify an export anywhere, show its key, erase a person's trace."""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from shared.errors import BadInputError

if TYPE_CHECKING:
    from controller.audit.verify import Findings, Trust

DONE, REFUSED, UNUSABLE = 0, 1, 2
_MAX_FILE_BYTES = 1_000_000
_HEAD_HELP = "a head that was kept earlier (--keep-head), whose log this must continue"


def main(argv: Sequence[str]) -> int:
    """Exit status: 0 done, or everything holds; 1 the export does not hold; 2 a file, database or
    interface that cannot be used."""
    from sqlalchemy.exc import SQLAlchemyError

    from controller.audit.fetch import FetchError

    arguments = _parser().parse_args(list(argv))
    try:
        return int(arguments.run(arguments))
    except (BadInputError, OSError, FetchError) as error:
        sys.stderr.write(f"bes audit: {error}\n")
    except SQLAlchemyError as error:
        sys.stderr.write(f"bes audit: the database: {error}\n")
    return UNUSABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bes audit")
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="write the whole log into a file")
    source = export.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", type=Path, metavar="FILE", help="the controller's own")
    source.add_argument("--url", help="a controller's interface, https://HOST:PORT")
    export.add_argument("--token-file", type=Path, metavar="FILE", help="with --url")
    export.add_argument("--ca-file", type=Path, metavar="FILE", help="with --url")
    export.add_argument("--output", type=Path, required=True, metavar="FILE")
    export.set_defaults(run=_export)
    verify = commands.add_parser("verify", help="check an export; needs nothing else of ours")
    verify.add_argument("file", type=Path, metavar="FILE")
    trust = verify.add_mutually_exclusive_group(required=True)
    trust.add_argument(
        "--key", type=Path, action="append", metavar="PUBFILE", help="the log's public key(s)"
    )
    trust.add_argument("--without-key", action="store_true", help="check no signature")
    verify.add_argument(
        "--previous", type=Path, action="append", metavar="HEADFILE", help=_HEAD_HELP
    )
    verify.add_argument(
        "--authority-roots", type=Path, metavar="FILE", help="check timestamps against these (PEM)"
    )
    verify.add_argument("--keep-head", type=Path, metavar="FILE", help="keep the newest head here")
    verify.set_defaults(run=_verify)
    key = commands.add_parser("key", help="print the log's public key, for those who verify")
    key.add_argument("--config", type=Path, required=True, metavar="FILE")
    key.set_defaults(run=_key)
    _add_people(commands)
    return parser


def _add_people(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    for name, text in (
        ("trace", "print what stands in the log in place of a person's data"),
        ("erase", "make a person's trace nobody's, for good"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--config", type=Path, required=True, metavar="FILE")
        command.add_argument("kind", help="what it is, for example: address")
        command.add_argument("value")
        command.set_defaults(run=_trace if name == "trace" else _erase)


def _export(arguments: argparse.Namespace) -> int:
    from controller.audit.export import export_lines
    from controller.audit.fetch import Interface, fetched
    from controller.config import load_config
    from controller.storage.engine import Storage

    if arguments.config is not None:
        storage = Storage(load_config(arguments.config).database.url)
        try:
            size = _write(arguments.output, export_lines(storage))
        finally:
            storage.close()
    else:
        if arguments.token_file is None:
            raise BadInputError("token-file", "missing", "a file with an API token")
        interface = Interface(arguments.url, arguments.token_file, arguments.ca_file)
        with fetched(interface) as pieces:
            size = _write(arguments.output, pieces)
    sys.stdout.write(f"{arguments.output}: {size} bytes\n")
    return DONE


def _write(path: Path, pieces: Iterable[bytes]) -> int:
    """Under another name until it is whole; readable by the owner, for it tells of the company."""
    partial = path.with_name(path.name + ".partial")
    size = 0
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123 - with a mode from the first byte on
        for piece in pieces:
            size += file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    return size


def _verify(arguments: argparse.Namespace) -> int:
    from controller.audit.notes import public_key
    from controller.audit.stamps import load_roots
    from controller.audit.verify import RefusedError, Trust, verify

    roots = arguments.authority_roots
    trust = Trust(
        keys=tuple(public_key(_read(path), "key") for path in arguments.key or ()),
        kept=tuple(_read_text(path) for path in arguments.previous or ()),
        roots=() if roots is None else load_roots(_read(roots), "authority-roots"),
    )
    try:
        with arguments.file.open("rb") as stream:
            found = verify(_lines(stream), trust)
    except RefusedError as refused:
        sys.stderr.write(f"{arguments.file} does not hold: {refused}\n")
        return REFUSED
    if arguments.keep_head is not None and found.newest is not None:
        _write(arguments.keep_head, [found.newest_note.encode()])
    for line in _told(found, trust):
        sys.stdout.write(line + "\n")
    return DONE


def _told(found: "Findings", trust: "Trust") -> Iterator[str]:
    from shared.time import from_ms

    if found.newest is None:
        yield "the log is empty"
        return
    yield f"log {found.origin}: everything holds"
    yield f"leaves: {found.leaves}, each in canonical form, numbered without a gap, in the tree"
    yield f"heads: {found.heads}, each of the root that its leaves give"
    if trust.keys:
        unsigned = found.heads - found.signed_heads
        yield f"signatures: {found.signed_heads} heads signed by the key given, {unsigned} unsigned"
    else:
        yield "signatures: not checked, no key was given"
    if trust.kept:
        yield f"heads kept earlier: {found.kept_heads}, which this log continues"
    if trust.roots:
        when = "" if found.newest_stamp is None else f", the newest of {found.newest_stamp}"
        yield f"timestamps: {found.checked_timestamps}, each of its head{when}"
    else:
        yield f"timestamps: {found.timestamps}, not checked, no authority's roots were given"
    root = found.newest.head.root.hex()
    yield f"newest head: size {found.newest.head.size}, root {root}"
    yield f"made at: {from_ms(found.newest.time_ms).isoformat()}"


def _key(arguments: argparse.Namespace) -> int:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from controller.audit.notes import verifier_key
    from controller.audit.workers import signing
    from controller.config import load_config

    found = signing(load_config(arguments.config).audit)
    if found.signer is None:
        raise BadInputError("audit.signing_key_file", "missing", "the log's key")
    key = found.signer.key.public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    sys.stdout.write(pem)
    sys.stderr.write(f"as a note verifier key: {verifier_key(found.origin, key)}\n")
    return DONE


def _trace(arguments: argparse.Namespace) -> int:
    from controller.audit.people import Personal, find_trace
    from controller.config import load_config
    from controller.storage.engine import Storage

    storage = Storage(load_config(arguments.config).database.url)
    try:
        with storage.read() as conn:
            trace = find_trace(conn, Personal(arguments.kind, arguments.value))
    finally:
        storage.close()
    sys.stdout.write(f"{trace}\n" if trace is not None else "no trace\n")
    return DONE if trace is not None else REFUSED


def _erase(arguments: argparse.Namespace) -> int:
    from controller.audit.leaves import erase
    from controller.audit.people import Personal
    from controller.clock import SystemClock
    from controller.config import load_config
    from controller.storage.engine import Storage

    config = load_config(arguments.config)
    now_ms = SystemClock(config.clock.scale()).now_ms()
    storage = Storage(config.database.url)
    try:
        with storage.write() as conn:
            thing = Personal(arguments.kind, arguments.value)
            erased = erase(conn, thing, actor="host", now_ms=now_ms)
    finally:
        storage.close()
    sys.stdout.write("erased: its trace is nobody's now\n" if erased else "no trace\n")
    return DONE if erased else REFUSED


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    from controller.audit.verify import MAX_LINE_BYTES

    while line := stream.readline(MAX_LINE_BYTES + 1):
        yield line


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_MAX_FILE_BYTES + 1)
    if len(content) > _MAX_FILE_BYTES:
        raise BadInputError(str(path), "too long", f"at most {_MAX_FILE_BYTES} bytes")
    return content


def _read_text(path: Path) -> str:
    try:
        return _read(path).decode()
    except UnicodeDecodeError as error:
        raise BadInputError(str(path), "not text", "UTF-8 text") from error
