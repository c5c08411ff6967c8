"""Signs with the keys of a key file. They stay in this process's memory and are never given out."""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agent.signer.key_file.content import Content, HeldSecret
from agent.signer.key_file.files import read_key_file
from agent.signer.key_store import HeldKey, NonceLostError
from shared.bitcoin.bip32 import ExtendedPrivateKey, ExtendedPublicKey, KeyOrigin
from shared.bitcoin.errors import KeyMaterialError
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.musig2 import SecretNonce, Session, generate_nonce
from shared.bitcoin.psbt import EcdsaRequest, MusigRequest, SchnorrRequest
from shared.secret import HIDDEN, Secret

MOST_NONCES: Final = 4_096
"""Rounds one that may be open at a time; beyond it the oldest is forgotten."""
_MOST_PARENTS: Final = 256
_Parent = tuple[bytes, tuple[int, ...]]


def open_key_file(path: Path, passphrase: Secret) -> "KeyFileStore":
    """The store of a key file; KeyFileError of its kind where it cannot be opened."""
    return KeyFileStore(read_key_file(path, passphrase))


class KeyFileStore:
    """A `KeyStore`. `random` gives that many fresh random bytes; one thread at a time uses it."""

    def __init__(
        self, content: Content, random: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        self._keys: tuple[HeldSecret, ...] = content.keys
        self._random = random
        self._parents: OrderedDict[_Parent, ExtendedPrivateKey] = OrderedDict()
        self._nonces: OrderedDict[bytes, SecretNonce] = OrderedDict()

    def held_keys(self) -> tuple[HeldKey, ...]:
        """See `KeyStore`."""
        return tuple(HeldKey(one.origin, one.key.public) for one in self._keys)

    def public_at(self, origin: KeyOrigin) -> ExtendedPublicKey | None:
        """See `KeyStore`."""
        found = self._derived(origin)
        return None if found is None else found.public

    def sign_ecdsa(self, request: EcdsaRequest) -> bytes | None:
        """See `KeyStore`."""
        key = self._private(request.origin)
        if key is None or key.public_key != request.public_key:
            return None
        return key.sign_ecdsa(request.digest)

    def sign_schnorr(self, request: SchnorrRequest) -> bytes | None:
        """See `KeyStore`."""
        key = self._private(request.origin)
        if key is None or key.x_only != request.x_only:
            return None
        if request.tweak is None:
            return key.sign_schnorr(request.digest, self._random(32))
        return key.sign_schnorr_tweaked(request.digest, request.tweak, self._random(32))

    def make_nonce(self, request: MusigRequest) -> bytes | None:
        """See `KeyStore`. Asked again for the same turn, it forgets the nonce it made before."""
        key = self._participant(request)
        if key is None:
            return None
        session = request.session
        nonce = generate_nonce(self._random(32), key, session.aggregate, session.message)
        self._forget(_turn(request))
        while len(self._nonces) >= MOST_NONCES:
            self._forget(next(iter(self._nonces)))
        self._nonces[_turn(request)] = nonce
        return nonce.public_nonce

    def sign_part(self, request: MusigRequest, opened: Session) -> bytes | None:
        """See `KeyStore`. The nonce is gone whatever comes of it."""
        key = self._participant(request)
        if key is None:
            return None
        nonce = self._nonces.pop(_turn(request), None)
        if nonce is None:
            raise NonceLostError("nonce", "none of this session's", "a new round one")
        return opened.partial_sign(nonce, key)

    def close(self) -> None:
        """See `KeyStore`."""
        while self._nonces:
            self._forget(next(iter(self._nonces)))
        self._parents.clear()
        self._keys = ()

    def __repr__(self) -> str:
        return f"KeyFileStore({len(self._keys)} keys, {HIDDEN})"

    def _forget(self, turn: bytes) -> None:
        nonce = self._nonces.pop(turn, None)
        if nonce is not None:
            nonce.erase()

    def _participant(self, request: MusigRequest) -> PrivateKey | None:
        if request.origin is None:
            return None
        key = self._private(request.origin)
        return key if key is not None and key.public_key == request.participant else None

    def _private(self, origin: KeyOrigin) -> PrivateKey | None:
        found = self._derived(origin)
        return None if found is None else found.private_key

    def _derived(self, origin: KeyOrigin) -> ExtendedPrivateKey | None:
        held = self._above(origin)
        if held is None:
            return None
        start, steps = len(held.origin.path.indices), origin.path.indices
        if len(steps) == start:
            return held.key
        try:
            return self._parent(held, steps[:-1]).child(steps[-1])
        except KeyMaterialError:  # deeper than BIP32 reaches, or the one index that has no key
            return None

    def _above(self, origin: KeyOrigin) -> HeldSecret | None:
        """The key of the store nearest above the origin, or at it."""
        steps, nearest = origin.path.indices, None
        for one in self._keys:
            own = one.origin.path.indices
            is_above = one.origin.fingerprint == origin.fingerprint and steps[: len(own)] == own
            if is_above and (nearest is None or len(own) > len(nearest.origin.path.indices)):
                nearest = one
        return nearest

    def _parent(self, held: HeldSecret, steps: tuple[int, ...]) -> ExtendedPrivateKey:
        """The key above the last step; kept, since a wallet's indices share it."""
        name = (held.origin.fingerprint, steps)
        found = self._parents.get(name)
        if found is None:
            found = held.key
            for step in steps[len(held.origin.path.indices) :]:
                found = found.child(step)
            while len(self._parents) >= _MOST_PARENTS:
                self._parents.popitem(last=False)
            self._parents[name] = found
        return found


def _turn(request: MusigRequest) -> bytes:
    return request.session.place(request.participant) + request.session.message
