"""Key files and passphrases on disk. Never from an argument or the environment's values."""

import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from agent.identity.folder import write_file
from agent.signer.key_file.content import Content, read_content, write_content
from agent.signer.key_file.errors import ExposedFileError, KeyFileError
from agent.signer.key_file.sealing import (
    MOST_CONTENT_BYTES,
    MOST_FILE_BYTES,
    NONCE_BYTES,
    PASSPHRASE_BYTES,
    SALT_BYTES,
    Cost,
    seal,
    unseal,
)
from shared.secret import Secret

CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
"""Where systemd puts a unit's credentials (LoadCredential=, systemd.exec(5))."""
_OWN: Final = 0o077
_OF_A_UNIT: Final = 0o037  # systemd lets the unit's user in by an ACL, which shows as the group's r


def write_key_file(
    path: Path, content: Content, passphrase: Secret, cost: Cost | None = None
) -> None:
    """Encrypts the keys into a file of mode 0600, which is replaced in one step. KeyFileError."""
    salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
    sealed = seal(write_content(content), passphrase, salt, nonce, cost or Cost())
    try:
        write_file(path, sealed, mode=0o600)
    except OSError as error:
        raise KeyFileError("key file", str(error.strerror), "a path to write to") from error


def read_key_file(path: Path, passphrase: Secret) -> Content:
    """The keys of a file that only its owner can read; KeyFileError of its kind otherwise."""
    file = _read(path, "key file", MOST_FILE_BYTES, _OWN)
    return read_content(unseal(file, passphrase))


def read_passphrase(path: Path) -> Secret:
    """The first line of a file that only its owner can read, without its end."""
    return _passphrase(path, _OWN)


def read_credential(name: str, environment: Mapping[str, str]) -> Secret:
    """As `read_passphrase`, of the systemd credential of that name."""
    folder = environment.get(CREDENTIALS)
    if not folder:
        raise KeyFileError("passphrase", f"no {CREDENTIALS}", "LoadCredential= in the unit")
    if name in ("", ".", "..") or "/" in name:
        raise KeyFileError("passphrase", "no credential's name", "a name without slashes")
    return _passphrase(Path(folder) / name, _OF_A_UNIT)


def read_secret_lines(path: Path) -> tuple[Secret, ...]:
    """The lines, but for empty ones, of a file that only its owner can read."""
    content = _read(path, "secret file", MOST_CONTENT_BYTES, _OWN)
    return tuple(Secret(line.strip()) for line in content.splitlines() if line.strip())


def _passphrase(path: Path, forbidden: int) -> Secret:
    content = _read(path, "passphrase file", PASSPHRASE_BYTES.stop, forbidden)
    line, _, rest = content.partition(b"\n")
    if rest.strip() or len(line.rstrip(b"\r")) not in PASSPHRASE_BYTES:
        allowed = f"one line of {PASSPHRASE_BYTES.start} to {PASSPHRASE_BYTES.stop - 1} bytes"
        raise KeyFileError("passphrase file", "no passphrase", allowed)
    return Secret(line.rstrip(b"\r"))


def _read(path: Path, field: str, most_bytes: int, forbidden: int) -> bytes:
    """The content of a file of its own; it is opened once and judged as it was opened."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise KeyFileError(field, str(error.strerror), "a file that can be read") from error
    try:
        _check(os.fstat(descriptor), field, forbidden)
        content = bytearray()
        while len(content) <= most_bytes and (more := os.read(descriptor, most_bytes + 1)):
            content += more
    except OSError as error:
        raise KeyFileError(field, str(error.strerror), "a file that can be read") from error
    finally:
        os.close(descriptor)
    if len(content) > most_bytes:
        raise KeyFileError(field, "too long", f"at most {most_bytes} bytes")
    return bytes(content)


def _check(held: os.stat_result, field: str, forbidden: int) -> None:
    if not stat.S_ISREG(held.st_mode):
        raise ExposedFileError(field, "no regular file", "a regular file, no link")
    if held.st_mode & forbidden:
        mode = f"mode {stat.S_IMODE(held.st_mode):04o}"
        raise ExposedFileError(field, mode, "0600 or 0400: its owner alone")
    if held.st_uid not in (0, os.geteuid()):
        raise ExposedFileError(field, f"owned by user {held.st_uid}", "this user, or root")
