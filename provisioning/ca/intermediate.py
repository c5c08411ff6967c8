"""The controller's end of the ceremony: the intermediate's key is made here and stays here.

The folder, where a *generation* is one key (named after the first 16 digits of its fingerprint):

    generations/ID/key.pem, request.pem      made by `request`
    generations/ID/chain.pem                 certificate, then cross certificates; by `install`
    current -> generations/ID                the generation in use, switched in one step
    roots.pem                                the roots pinned here, as hosts keep them

Earlier generations stay: while their leaves last, or could renew late, their keys sign the lists.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from provisioning.ca.errors import CeremonyError
from provisioning.ca.files import (
    make_folder,
    read_file,
    read_private,
    replace_file,
    sync_folder,
    write_new,
)
from shared.identity.errors import RotationError
from shared.identity.fingerprints import key_fingerprint, key_sha256
from shared.identity.issuing import Issuer
from shared.identity.keys import key_pem, read_key
from shared.identity.names import common_name, described
from shared.identity.pem import certificates_pem, read_certificates, read_request
from shared.identity.requests import build_authority_request
from shared.identity.rotation import accept_root
from shared.identity.trust import (
    TrustBundle,
    is_authority,
    is_self_signed,
    issued_by,
    pin,
    read_bundle,
)

_ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Generation:
    """One key of the intermediate's."""

    path: Path

    @property
    def key(self) -> Path:
        """The key; nobody but the owner may read it."""
        return self.path / "key.pem"

    @property
    def request(self) -> Path:
        """What is carried to the root."""
        return self.path / "request.pem"

    @property
    def chain(self) -> Path:
        """What its leaves' holders show besides their own certificate."""
        return self.path / "chain.pem"

    def issuer(self) -> Issuer:
        """The intermediate, able to sign."""
        certificate, *cross = read_certificates(read_file(self.chain))
        return Issuer(read_key(read_private(self.key)), certificate, tuple(cross))


@dataclass(frozen=True, slots=True)
class IntermediateFolder:
    """Where an intermediate's files are."""

    path: Path

    @property
    def current(self) -> Generation:
        """The generation in use."""
        return Generation(self.path / "current")

    @property
    def roots(self) -> Path:
        """The roots pinned here."""
        return self.path / "roots.pem"

    @property
    def generations(self) -> tuple[Generation, ...]:
        """Every one that has a key, by id."""
        found = sorted((self.path / "generations").glob("*/key.pem"))
        return tuple(Generation(key.parent) for key in found)

    @property
    def pending(self) -> Generation | None:
        """The one whose certificate has not been installed."""
        waiting = [each for each in self.generations if not each.chain.exists()]
        if len(waiting) > 1:
            raise CeremonyError(f"{self.path} holds more than one request that waits")
        return waiting[0] if waiting else None


@dataclass(frozen=True, slots=True)
class Requested:
    """A request that waits for its certificate."""

    made: bool
    file: Path
    fingerprint: str


def request(folder: IntermediateFolder, name: str) -> Requested:
    """Makes a key and its request; where one waits already, that one is named again."""
    waiting = folder.pending
    made = waiting is None
    if name in _names_in_use(folder):
        raise CeremonyError(f"{name!r} is the name of an earlier one: a new one needs its own")
    if waiting is None:
        waiting = _new_generation(folder)
    if not waiting.request.exists():
        key = read_key(read_private(waiting.key))
        pem = build_authority_request(key, name).public_bytes(Encoding.PEM)
        write_new(waiting.request, pem)
    kept = read_request(read_file(waiting.request))
    if common_name(kept.subject) != name:
        raise CeremonyError(f"a request for {common_name(kept.subject)!r} waits already")
    return Requested(made, waiting.request, key_fingerprint(kept))


@dataclass(frozen=True, slots=True)
class Installed:
    """The certificate in use, and what is trusted with it."""

    made: bool
    certificate: x509.Certificate
    trust: TrustBundle


def install(
    folder: IntermediateFolder, carried: bytes, fingerprint: str | None, now: datetime
) -> Installed:
    """Takes what the root signed into use.

    `fingerprint` is the root's, given once: later roots are accepted only because one that is
    pinned vouches for them (`shared.identity.rotation`).
    """
    certificates = read_certificates(carried)
    generation, certificate = _own(folder, certificates)
    trust = _trust(folder, carried, certificates, fingerprint, now)
    _check(certificate, trust, now)
    cross = [c for c in certificates[1:] if not is_self_signed(c) and now < c.not_valid_after_utc]
    chain = certificates_pem((certificate, *cross))
    if generation.chain.exists() and read_file(generation.chain) != chain:
        raise CeremonyError(f"{generation.chain} exists and is not overwritten")
    made = not generation.chain.exists()
    if not folder.roots.exists() or read_file(folder.roots) != trust.pem():
        replace_file(folder.roots, trust.pem())
    if made:
        write_new(generation.chain, chain)
    if made or not folder.current.path.is_symlink():
        _switch(folder, generation)
    return Installed(made, certificate, trust)


def retire(folder: IntermediateFolder, now: datetime) -> tuple[x509.Certificate, ...]:
    """Drops the roots whose overlap is over from what is pinned here; which they were.

    Refused where the intermediate in use is not good at `now`: then the clock is not to be
    believed, or there is something else to do first.
    """
    trust = read_bundle(read_file(folder.roots))
    kept = trust.pruned(now)
    _check(folder.current.issuer().certificate, kept, now)
    gone = tuple(root for root in trust.roots if not kept.holds(root))
    if gone:
        replace_file(folder.roots, kept.pem())
    return gone


def _new_generation(folder: IntermediateFolder) -> Generation:
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = key_sha256(key.public_key()).hex()[:_ID_DIGITS]
    make_folder(folder.path)
    make_folder(folder.path / "generations")
    generation = Generation(make_folder(folder.path / "generations" / identifier))
    write_new(generation.key, key_pem(key))
    return generation


def _names_in_use(folder: IntermediateFolder) -> set[str]:
    installed = [each.chain for each in folder.generations if each.chain.exists()]
    return {common_name(read_certificates(read_file(file))[0].subject) for file in installed}


def _own(
    folder: IntermediateFolder, certificates: tuple[x509.Certificate, ...]
) -> tuple[Generation, x509.Certificate]:
    for generation in folder.generations:
        key = read_key(read_private(generation.key)).public_key()
        if key_fingerprint(certificates[0]).endswith(key_sha256(key).hex()):
            return generation, certificates[0]
    raise CeremonyError("the certificate is for none of the keys that were made here")


def _trust(
    folder: IntermediateFolder,
    carried: bytes,
    certificates: tuple[x509.Certificate, ...],
    fingerprint: str | None,
    now: datetime,
) -> TrustBundle:
    if not folder.roots.exists():
        if fingerprint is None:
            raise CeremonyError("the first installation needs the root's fingerprint")
        return pin(carried, fingerprint)
    trust = read_bundle(read_file(folder.roots))
    for root in certificates:
        if is_self_signed(root) and not trust.holds(root):
            vouchers = [c for c in certificates if c.subject == root.subject and c is not root]
            if not vouchers:
                raise RotationError(
                    f"{described(root.subject)} is not pinned here and no root vouches for it"
                )
            trust = accept_root(trust, root, vouchers[0], now)
    return trust


def _check(certificate: x509.Certificate, trust: TrustBundle, now: datetime) -> None:
    if not is_authority(certificate) or is_self_signed(certificate):
        raise CeremonyError("the first certificate is not an intermediate authority's")
    if not any(issued_by(certificate, root) for root in trust.anchors(now)):
        raise CeremonyError("the certificate is not signed by a root that is pinned here")
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begins <= now < ends:
        raise CeremonyError(
            f"the certificate holds from {begins:%Y-%m-%d} to {ends:%Y-%m-%d}, this host's clock "
            f"says {now:%Y-%m-%d}: set the clock, or ask for a new certificate"
        )


def _switch(folder: IntermediateFolder, generation: Generation) -> None:
    link = folder.path / f".current.{secrets.token_hex(8)}"
    link.symlink_to(Path("generations") / generation.path.name)
    link.replace(folder.current.path)
    sync_folder(folder.path)
