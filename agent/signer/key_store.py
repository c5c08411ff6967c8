"""Where a signer's keys live: what every store of keys can be asked for, and nothing else."""

from dataclasses import dataclass
from typing import Protocol

from shared.bitcoin.bip32 import ExtendedPublicKey, KeyOrigin
from shared.bitcoin.errors import KeyMaterialError
from shared.bitcoin.psbt import MusigSigner, Signer


class NonceLostError(KeyMaterialError):
    """Round two of MuSig2 for a round one that this store does not remember; begin again."""


@dataclass(frozen=True, slots=True)
class HeldKey:
    """The public half of an extended key in the store, and where it comes from (BIP380)."""

    origin: KeyOrigin
    public: ExtendedPublicKey


class KeyStore(Signer, MusigSigner, Protocol):
    """Keys that sign and never leave.

    It is a `Signer` and a `MusigSigner` of `shared.bitcoin.psbt`: a request whose origin is below
    no key of the store, or whose public key is not the one at that origin, is answered with None.
    Secret nonces stay in memory and sign once: `sign_part` raises NonceLostError without one.
    """

    def held_keys(self) -> tuple[HeldKey, ...]:
        """The topmost keys of the store."""
        ...

    def public_at(self, origin: KeyOrigin) -> ExtendedPublicKey | None:
        """The public key at an origin, hardened steps included; None where it is not here."""
        ...

    def close(self) -> None:
        """Forget nonces and whatever was opened; the store then answers as one without keys."""
        ...
