"""A device's password, from the file that its settings name."""

from pathlib import Path

from firmware_bridges.errors import NotAuthorisedError

MAX_SECRET_BYTES = 1024


def read_secret(path: Path) -> str:
    """The first line of the file without its end. `NotAuthorisedError` when there is none; the
    message names the file, never what is in it."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise NotAuthorisedError(f"the password file {path} cannot be read") from error
    if len(content) > MAX_SECRET_BYTES:
        raise NotAuthorisedError(f"the password file {path} is longer than {MAX_SECRET_BYTES} B")
    try:
        return content.decode().splitlines()[0]
    except (UnicodeDecodeError, IndexError):
        raise NotAuthorisedError(f"the password file {path} holds no line of UTF-8") from None
