"""MuSig2 (BIP327): many keys, one BIP340 signature, on libsecp256k1's own module.

The order of things: `sort_keys`, `KeyAggregate` (with the tweaks of BIP32 and BIP341),
`generate_nonce` of each signer, `aggregate_nonces`, a `Session`, its `partial_sign`,
`partial_verify` and `aggregate`. The result is an ordinary BIP340 signature under
`KeyAggregate.x_only`.

One accident takes a private key: the same secret nonce under two messages. So a nonce is bound to
its key, aggregate and message, signs once, is erased by that call whatever its outcome, and can
neither be copied nor written down. What this cannot prevent is a repeated `session_random`, which
has to be fresh from the system's generator for each call, never derived and never kept.

BIP327's deterministic signing (`DeterministicSign`) is not offered: libsecp256k1 has none.
Messages are 32 bytes, as sighashes are; the library takes no others.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Never

from btclib_secp256k1 import CData, ffi, keys, lib, musig
from btclib_secp256k1.context import ctx

from shared.bitcoin.bip32 import HARDENED, ExtendedPublicKey, KeyPath
from shared.bitcoin.errors import BitcoinError, KeyMaterialError
from shared.bitcoin.keys import PrivateKey

PUBLIC_KEY_SIZE: Final = 33
PUBLIC_NONCE_SIZE: Final = 66
PARTIAL_SIGNATURE_SIZE: Final = 32
MAX_SIGNERS: Final = 100
"""More than any policy needs; a bound on what an input may make us compute."""

BIP328_CHAIN_CODE: Final = bytes.fromhex(
    "868087ca02a6f974c4598924c36b57762d32cb45717167e300622c7167e38965"
)
"""SHA-256 of "MuSig2MuSig2MuSig2": the chain code of every aggregate key."""

_SCALAR: Final = "32 bytes, above 0 and below the curve's order"


class Musig2Error(BitcoinError):
    """A contribution to a session that is not one; `field` names it with its position."""


class NonceUsedError(Musig2Error):
    """A secret nonce asked to sign a second time, or erased before it signed."""

    def __init__(self) -> None:
        super().__init__("secret_nonce", "used or erased", "a new nonce for each signature")


class NonceMismatchError(Musig2Error):
    """A secret nonce used for another key, aggregate or message than it was made for."""

    def __init__(self, what: str) -> None:
        super().__init__(
            "secret_nonce", f"made for another {what}", "the key, aggregate and message it is for"
        )


@dataclass(frozen=True, slots=True)
class Tweak:
    """A scalar added to the aggregate key: plain for a BIP32 step, x-only for BIP341."""

    value: bytes
    x_only: bool


def sort_keys(public_keys: Sequence[bytes]) -> tuple[bytes, ...]:
    """BIP327 `KeySort`: compressed keys in lexicographical order."""
    return tuple(sorted(public_keys))


class KeyAggregate:
    """BIP327 `KeyAgg` of compressed keys in the order given, then `ApplyTweak` for each tweak.

    `plain` is the untweaked aggregate, `public_key` the tweaked one (33 bytes each).
    Raises Musig2Error naming the key or tweak that is none.
    """

    __slots__ = ("_cache", "plain", "public_key", "public_keys", "tweaks")

    def __init__(self, public_keys: Sequence[bytes], tweaks: Sequence[Tweak] = ()) -> None:
        if not 0 < len(public_keys) <= MAX_SIGNERS:
            raise Musig2Error("public_keys", f"{len(public_keys)} keys", f"1 to {MAX_SIGNERS}")
        for index, key in enumerate(public_keys):
            _check_public_key(f"public_keys[{index}]", key)
        cache = musig.KeyAggCache(public_keys)
        self.public_keys: Final = tuple(public_keys)
        self.tweaks: Final = tuple(tweaks)
        self.plain: Final = cache.pubkey_get()
        for index, tweak in enumerate(tweaks):
            _apply(cache, tweak, f"tweaks[{index}]")
        self.public_key: Final = cache.pubkey_get()
        self._cache = cache

    @property
    def x_only(self) -> bytes:
        """The 32 bytes that the final signature verifies under."""
        return self.public_key[1:]

    def tweaked(self, *tweaks: Tweak) -> "KeyAggregate":
        """The same keys with further tweaks; this one stays as it is."""
        return KeyAggregate(self.public_keys, self.tweaks + tweaks)

    def cache(self) -> musig.KeyAggCache:
        """The library's own object, for `generate_nonce` and `Session` only."""
        return self._cache


class SecretNonce:
    """The secret half of one contribution: signs once, then is gone. `public_nonce` is sent."""

    __slots__ = ("_bound", "_nonce", "public_nonce")

    def __init__(self, nonce: musig.SecretNonce, bound: tuple[bytes, bytes, bytes]) -> None:
        self._nonce: musig.SecretNonce | None = nonce
        self._bound = bound
        self.public_nonce: Final = nonce.pubnonce

    @property
    def used(self) -> bool:
        """Whether it has signed or was erased."""
        return self._nonce is None

    def take(self, public_key: bytes, aggregate: bytes, message: bytes) -> musig.SecretNonce:
        """Give the library's nonce away, once; for `Session.partial_sign` only.

        Raises NonceUsedError the second time. A session it was not made for raises
        NonceMismatchError and erases it.
        """
        nonce, self._nonce = self._nonce, None
        if nonce is None:
            raise NonceUsedError
        names = ("key", "aggregate key", "message")
        for what, made, now in zip(
            names, self._bound, (public_key, aggregate, message), strict=True
        ):
            if made != now:
                nonce.wipe()
                raise NonceMismatchError(what)
        return nonce

    def erase(self) -> None:
        """Overwrite the nonce of a session that is abandoned."""
        nonce, self._nonce = self._nonce, None
        if nonce is not None:
            nonce.wipe()

    def __repr__(self) -> str:
        return "SecretNonce(...)"

    def __copy__(self) -> Never:
        raise TypeError("a secret nonce cannot be copied")

    def __deepcopy__(self, memo: object) -> Never:
        raise TypeError("a secret nonce cannot be copied")

    def __reduce_ex__(self, protocol: object) -> Never:
        raise TypeError("a secret nonce cannot be written down")


def generate_nonce(
    session_random: bytes,
    key: PrivateKey,
    aggregate: KeyAggregate,
    message: bytes,
    extra: bytes | None = None,
) -> SecretNonce:
    """BIP327 `NonceGen` with every optional input: key, tweaked aggregate, message, `extra`.

    `session_random` is 32 fresh random bytes, never used before; `extra` 32 bytes more, if any.
    Raises Musig2Error for an argument of another size and for a key outside the aggregate.
    """
    public_key = _participant(key, aggregate)
    _check_size("session_random", session_random, 32)
    if session_random == bytes(32):
        raise Musig2Error("session_random", "all zeros", "32 fresh random bytes")
    _check_size("message", message, 32)
    if extra is not None:
        _check_size("extra", extra, 32)
    parsed = keys.parse(public_key)
    secret, public = ffi.new("secp256k1_musig_secnonce *"), ffi.new("secp256k1_musig_pubnonce *")
    # The library's wrapper draws the randomness itself; here it is an argument.
    seed = ffi.new("unsigned char[32]", session_random)
    made = lib.secp256k1_musig_nonce_gen(
        ctx,
        secret,
        public,
        seed,
        key.reveal(),
        parsed,
        message,
        aggregate.cache()._cache_(),
        ffi.NULL if extra is None else extra,
    )
    if not made:
        raise Musig2Error("session_random", "no nonce from it", "other random bytes")
    nonce = musig.SecretNonce(secret, public, parsed)
    return SecretNonce(nonce, (public_key, aggregate.public_key, message))


def aggregate_nonces(public_nonces: Sequence[bytes]) -> bytes:
    """BIP327 `NonceAgg`: 66 bytes from the signers' 66 bytes each.

    Raises Musig2Error naming the contribution that is no nonce.
    """
    if not 0 < len(public_nonces) <= MAX_SIGNERS:
        raise Musig2Error("public_nonces", f"{len(public_nonces)} nonces", f"1 to {MAX_SIGNERS}")
    for index, nonce in enumerate(public_nonces):
        _check_public_nonce(f"public_nonces[{index}]", nonce)
    return musig.nonce_agg(public_nonces)


class Session:
    """One message signed under one aggregate with one aggregate nonce (BIP327 session context)."""

    __slots__ = ("_session", "aggregate_key", "message")

    def __init__(self, aggregate: KeyAggregate, aggregate_nonce: bytes, message: bytes) -> None:
        _check_size("message", message, 32)
        try:
            self._session = musig.Session(aggregate_nonce, message, aggregate.cache())
        except ValueError as refused:
            raise Musig2Error("aggregate_nonce", str(refused), "66 bytes, two points") from None
        self.aggregate_key: Final = aggregate
        self.message: Final = message

    def partial_sign(self, secret_nonce: SecretNonce, key: PrivateKey) -> bytes:
        """BIP327 `Sign`: 32 bytes. The nonce is spent whatever comes of it.

        Raises NonceUsedError, NonceMismatchError, or Musig2Error for a key that is not the nonce's.
        """
        aggregate = self.aggregate_key
        try:
            public_key = _participant(key, aggregate)
        except Musig2Error:
            secret_nonce.erase()
            raise
        nonce = secret_nonce.take(public_key, aggregate.public_key, self.message)
        try:
            return nonce.partial_sign(key.reveal(), aggregate.cache(), self._session)
        except ValueError:
            raise Musig2Error("secret_nonce", "not usable here", "a fresh nonce") from None

    def partial_verify(self, signature: bytes, public_nonce: bytes, public_key: bytes) -> bool:
        """BIP327 `PartialSigVerify`: did this signer contribute what it should?

        A signature that is no scalar is False; a nonce or key that is none raises Musig2Error.
        """
        _check_public_nonce("public_nonce", public_nonce)
        _check_public_key("public_key", public_key)
        if public_key not in self.aggregate_key.public_keys:
            raise Musig2Error("public_key", "not one of the aggregate's", "a participant's key")
        if not _is_scalar(signature):
            return False
        cache = self.aggregate_key.cache()
        return self._session.partial_sig_verify(signature, public_nonce, public_key, cache)

    def aggregate(self, signatures: Sequence[bytes]) -> bytes:
        """BIP327 `PartialSigAgg`: the 64-byte BIP340 signature, from every signer's part.

        Raises Musig2Error naming a part that is no scalar, or when their number is another.
        """
        signers = len(self.aggregate_key.public_keys)
        if len(signatures) != signers:
            raise Musig2Error("signatures", f"{len(signatures)} of them", f"all {signers}")
        for index, signature in enumerate(signatures):
            if not _is_scalar(signature):
                raise Musig2Error(f"signatures[{index}]", "not a partial signature", _SCALAR)
        return self._session.partial_sig_agg(signatures)


def synthetic_key(plain: bytes) -> ExtendedPublicKey:
    """BIP328: the extended public key of an untweaked aggregate; it derives, never hardened."""
    return ExtendedPublicKey(plain, BIP328_CHAIN_CODE)


def derivation_tweaks(plain: bytes, path: KeyPath) -> tuple[Tweak, ...]:
    """BIP328: the plain tweaks that take an aggregate to its descendant, to sign for it.

    Raises KeyMaterialError for a hardened step, which nobody holds the private key for.
    """
    key, tweaks = synthetic_key(plain), []
    for index in path.indices:
        if index >= HARDENED:
            raise KeyMaterialError("path", "a hardened step", "steps that are not hardened")
        step = key.public_key + index.to_bytes(4, "big")
        tweaks.append(Tweak(hmac.digest(key.chain_code, step, "sha512")[:32], x_only=False))
        key = key.child(index)
    return tuple(tweaks)


def _apply(cache: musig.KeyAggCache, tweak: Tweak, field: str) -> None:
    _check_size(field, tweak.value, 32)
    try:
        if tweak.x_only:
            cache.pubkey_xonly_tweak_add(tweak.value)
        else:
            cache.pubkey_ec_tweak_add(tweak.value)
    except ValueError as refused:
        raise Musig2Error(field, str(refused), _SCALAR) from None


def _participant(key: PrivateKey, aggregate: KeyAggregate) -> bytes:
    public_key = key.public_key
    if public_key not in aggregate.public_keys:
        raise Musig2Error("key", "not one of the aggregate's", "a participant's key")
    return public_key


def _check_size(field: str, value: bytes, size: int) -> None:
    if len(value) != size:
        raise Musig2Error(field, f"{len(value)} bytes", f"{size} bytes")


def _check_public_key(field: str, key: bytes) -> None:
    _check_size(field, key, PUBLIC_KEY_SIZE)
    if not keys.pubkey_verify(key):
        raise Musig2Error(field, "not a point", "a compressed public key")


def _check_public_nonce(field: str, nonce: bytes) -> None:
    _check_size(field, nonce, PUBLIC_NONCE_SIZE)
    parsed: CData = ffi.new("secp256k1_musig_pubnonce *")
    if not lib.secp256k1_musig_pubnonce_parse(ctx, parsed, nonce):
        raise Musig2Error(field, "not a public nonce", "66 bytes, two points")


def _is_scalar(signature: bytes) -> bool:
    if len(signature) != PARTIAL_SIGNATURE_SIZE:
        return False
    parsed: CData = ffi.new("secp256k1_musig_partial_sig *")
    return bool(lib.secp256k1_musig_partial_sig_parse(ctx, parsed, signature))
