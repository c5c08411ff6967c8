"""Why a key file or its passphrase is refused. No message shows what is inside either."""

from shared.errors import BadInputError


class KeyFileError(BadInputError):
    """A key file, or a passphrase file, that is not used."""


class ExposedFileError(KeyFileError):
    """A file that others than its owner can read or replace, or that is no file of its own."""


class MalformedKeyFileError(KeyFileError):
    """No key file: another format, cut off, or with parameters out of bounds."""


class LockedKeyFileError(KeyFileError):
    """Another passphrase, or a file that was altered: encryption cannot tell which."""

    def __init__(self) -> None:
        super().__init__(
            "key file", "does not open", "its own passphrase, and the file as it was written"
        )
