"""Where a node's identity lies: pinned roots, and a generation for each key with its certificate.

    trust.pem                       the roots that this host pinned, with their cross certificates
    roots.pem                       of those, the roots that count now: for the TLS library
    pending.key                     a key whose certificate has been asked for
    current -> generations/N        switched in one rename, so that key and certificate always match
    generations/N/{key.pem,certificate.pem}

The generation before the current one stays until the current one is proven. The folder belongs to
one process at a time (the agent's data folder is locked).
"""

import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.identity.keys import key_pem, read_key
from shared.identity.pem import certificates_pem, read_certificates
from shared.identity.trust import TrustBundle, read_bundle

_MOST_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key and its certificate with the chain behind it, leaf first."""

    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...]

    @property
    def leaf(self) -> x509.Certificate:
        """The node's own certificate."""
        return self.chain[0]


class IdentityFolder:
    """See the module. `OSError` when the disk fails, `MalformedError` when a file is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.roots_file = path / "roots.pem"
        self._trust_file = path / "trust.pem"
        self.key_file = path / "current" / "key.pem"
        self.certificate_file = path / "current" / "certificate.pem"
        self._pending_file = path / "pending.key"
        self._generations = path / "generations"
        self._current = path / "current"

    def prepare(self) -> None:
        """Makes the folders, readable by their owner only."""
        _make_folder(self.path)
        _make_folder(self._generations)

    def trust(self) -> TrustBundle:
        """What is pinned."""
        return read_bundle(_read(self._trust_file))

    def pin(self, trust: TrustBundle, now: datetime) -> None:
        """Replaces what is pinned."""
        write_file(self._trust_file, trust.pem(), mode=0o644)
        write_file(self.roots_file, trust.anchors_pem(now), mode=0o644)

    def current(self) -> Credentials | None:
        """The credentials in use; None before the first."""
        if not self.key_file.exists():
            return None
        return Credentials(
            read_key(_read(self.key_file)), read_certificates(_read(self.certificate_file))
        )

    def pending_key(self, successor_of: Credentials | None = None) -> ec.EllipticCurvePrivateKey:
        """The key that waits for its certificate: on disk before anybody is asked to sign it, so
        that an answer that was lost can be asked for again. A new one where there is none, or where
        it is the very key of the credentials that it is to succeed."""
        if self._pending_file.exists():
            key = read_key(_read(self._pending_file))
            old = successor_of
            if old is None or _spki(key.public_key()) != _spki(old.key.public_key()):
                return key
        key = ec.generate_private_key(ec.SECP256R1())
        write_file(self._pending_file, key_pem(key), mode=0o600)
        return key

    def discard_pending(self) -> None:
        """Forgets the pending key."""
        self._pending_file.unlink(missing_ok=True)

    def install(self, credentials: Credentials) -> None:
        """Makes these the current ones; the ones before stay until `drop_old`.

        `ValueError` when key and certificate do not belong together: nothing is changed.
        """
        if _spki(credentials.leaf.public_key()) != _spki(credentials.key.public_key()):
            raise ValueError("the certificate is for another key")
        number = max(self._numbers(), default=0) + 1
        making = self._generations / f"{number}.new"
        shutil.rmtree(making, ignore_errors=True)
        _make_folder(making)
        write_file(making / "key.pem", key_pem(credentials.key), mode=0o600)
        write_file(making / "certificate.pem", certificates_pem(credentials.chain), mode=0o644)
        made = self._generations / str(number)
        making.rename(made)
        _sync_folder(self._generations)
        self._switch_to(number)

    def drop_old(self) -> None:
        """Deletes every generation but the current one."""
        for number in self._numbers():
            if number != self._current_number():
                shutil.rmtree(self._generations / str(number))

    def has_old(self) -> bool:
        """Whether a generation beside the current one is kept."""
        return len(self._numbers()) > 1

    def _switch_to(self, number: int) -> None:
        link = self.path / "current.new"
        link.unlink(missing_ok=True)
        link.symlink_to(Path("generations") / str(number))
        link.replace(self._current)
        _sync_folder(self.path)

    def _numbers(self) -> list[int]:
        if not self._generations.is_dir():
            return []
        return [int(item.name) for item in self._generations.iterdir() if item.name.isdecimal()]

    def _current_number(self) -> int | None:
        return int(self._current.readlink().name) if self._current.is_symlink() else None


def write_file(path: Path, content: bytes, *, mode: int) -> None:
    """Replaces a file in one step: whoever reads it sees the old or the new one whole."""
    making = path.with_name(f"{path.name}.new")
    making.unlink(missing_ok=True)
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    making.replace(path)
    _sync_folder(path.parent)


def _make_folder(path: Path) -> None:
    if not path.is_dir():
        path.mkdir(mode=0o700)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES)


def _spki(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("not an elliptic-curve key")  # noqa: TRY004 - of a certificate's content
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
