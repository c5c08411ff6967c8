"""The listener's side of TLS: 1.3 or nothing, and a certificate that is renewed while it serves."""

import ssl
from pathlib import Path

import structlog

from shared.errors import BadInputError

_log = structlog.get_logger()


class ServerTls:
    """A context whose certificate follows its files: connections made afterwards see the new one.

    `BadInputError` at the start when the files do not serve.
    """

    def __init__(self, certificate_file: Path, key_file: Path) -> None:
        self._files = (certificate_file, key_file)
        self.context = _empty()
        try:
            self._stamp = self._stamps()
            self.context.load_cert_chain(*self._files)
        except (OSError, ssl.SSLError) as error:
            problem = f"{certificate_file} and {key_file}: {error}"
            raise BadInputError(
                "http.certificate_file", problem, "a chain in PEM and its key"
            ) from error

    def follow(self) -> bool:
        """Loads the files if they have changed; False, as a `Worker`'s round that has no more.

        They are tried on a context of their own first: one that was replaced before the other
        raises, and what serves goes on as it is.
        """
        stamp = self._stamps()
        if stamp == self._stamp:
            return False
        _empty().load_cert_chain(*self._files)
        self.context.load_cert_chain(*self._files)
        self._stamp = stamp
        _log.info("the listener has a new certificate", file=str(self._files[0]))
        return False

    def _stamps(self) -> tuple[tuple[int, int], ...]:
        found = [file.stat() for file in self._files]
        return tuple((one.st_ino, one.st_mtime_ns) for one in found)


def _empty() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
