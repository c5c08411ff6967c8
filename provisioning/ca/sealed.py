"""The root's key at rest: PKCS #8 encrypted with AES-256 under a passphrase stretched by scrypt.

cryptography's own PKCS #8 encryption runs 2,048 rounds of PBKDF2, which is little for a key that
lies in a drawer for ten years. So the passphrase first goes through scrypt (RFC 7914; 128 MiB), and
its output in hexadecimal is what PKCS #8 is encrypted with. The parameters stand in a line above
the PEM, which every reader of PEM skips (RFC 7468 section 2).
"""

import re
from getpass import getpass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from provisioning.ca.errors import CeremonyError
from provisioning.ca.files import read_private
from shared.identity.errors import MalformedError
from shared.identity.keys import key_pem, read_key

MIN_PASSPHRASE = 12
MAX_PASSPHRASE = 1_024
SALT_BYTES = 16
COST = 1 << 17
_LEAST, _MOST = 1 << 14, 1 << 20
_BLOCK, _PARALLEL = 8, 1
_HEADER = re.compile(
    rb"bes root key, passphrase by scrypt N=([0-9]{5,7}) r=8 p=1 salt=([0-9a-f]{32})\n"
)


def seal(key: ec.EllipticCurvePrivateKey, passphrase: bytes, salt: bytes) -> bytes:
    """The key as it is kept."""
    scrypt = f"scrypt N={COST} r={_BLOCK} p={_PARALLEL} salt={salt.hex()}"
    header = f"bes root key, passphrase by {scrypt}\n"
    return header.encode() + key_pem(key, _stretched(passphrase, salt, COST))


def unseal(kept: bytes, passphrase: bytes) -> ec.EllipticCurvePrivateKey:
    """The key again; `CeremonyError` for a wrong passphrase or another kind of file."""
    header = _HEADER.match(kept)
    cost = int(header.group(1)) if header else 0
    if header is None or not _LEAST <= cost <= _MOST or cost & (cost - 1):
        raise CeremonyError("the root's key file is not one that `bes ca init` wrote")
    salt = bytes.fromhex(header.group(2).decode())
    try:
        return read_key(kept[header.end() :], _stretched(passphrase, salt, cost))
    except MalformedError as error:
        raise CeremonyError("wrong passphrase, or the key file is damaged") from error


def passphrase_from(file: Path | None, whose: str, *, new: bool) -> bytes:
    """The passphrase: a private file's first line, or asked for here (twice when new)."""
    if file is not None:
        passphrase = read_private(file).split(b"\n", 1)[0].rstrip(b"\r")
    else:
        passphrase = _asked(f"Passphrase of {whose}: ")
        if new and _asked("Once more: ") != passphrase:
            raise CeremonyError("the two passphrases differ")
    if not MIN_PASSPHRASE <= len(passphrase) <= MAX_PASSPHRASE:
        raise CeremonyError(
            f"a passphrase of {len(passphrase)} bytes (allowed: {MIN_PASSPHRASE} to "
            f"{MAX_PASSPHRASE})"
        )
    return passphrase


def _asked(prompt: str) -> bytes:
    try:
        return getpass(prompt).encode()
    except EOFError as error:
        raise CeremonyError("no terminal to ask for the passphrase: name a file") from error


def _stretched(passphrase: bytes, salt: bytes, cost: int) -> bytes:
    kdf = Scrypt(salt=salt, length=32, n=cost, r=_BLOCK, p=_PARALLEL)
    return kdf.derive(passphrase).hex().encode()
