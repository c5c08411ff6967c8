"""Files of an authority: private (0600), written whole or not at all, over no other by chance."""

import os
import secrets
import stat
from pathlib import Path

from provisioning.ca.errors import CeremonyError

MAX_FILE = 16 * 1024 * 1024
_PRIVATE = 0o600


def make_folder(folder: Path) -> Path:
    """The folder, made for its owner only where it is not there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def write_new(path: Path, data: bytes) -> None:
    """Writes a file that must not exist; `CeremonyError` where it does."""
    temporary = _temporary(path, data)
    try:
        os.link(temporary, path)
    except FileExistsError as error:
        raise CeremonyError(f"{path} exists and is not overwritten") from error
    finally:
        temporary.unlink()
    sync_folder(path.parent)


def replace_file(path: Path, data: bytes) -> None:
    """Writes a file over what was there; a crash leaves the old or the new one."""
    _temporary(path, data).replace(path)
    sync_folder(path.parent)


def read_file(path: Path) -> bytes:
    """A file of at most 16 MiB; `CeremonyError` when it cannot be read."""
    return _read(path)[0]


def read_private(path: Path) -> bytes:
    """A file that nobody but its owner may read; `CeremonyError` where others may."""
    data, mode = _read(path)
    if mode & 0o077:
        raise CeremonyError(f"{path} is open to others (mode {mode:04o}): chmod 600 it first")
    return data


def _read(path: Path) -> tuple[bytes, int]:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise CeremonyError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE:
        raise CeremonyError(f"{path} is longer than {MAX_FILE} bytes")
    return data, mode


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder outlast a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary(path: Path, data: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return temporary
