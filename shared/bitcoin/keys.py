"""Single keys: private ones that do not show themselves, public ones as bytes; signatures.

libsecp256k1 does the arithmetic, through coincurve; sums of secrets go through libwally, in
constant time. Randomness is an argument.
"""

from typing import Final, NoReturn

import coincurve
import wallycore
from btclib_secp256k1 import ffi, lib
from btclib_secp256k1.context import ctx

from shared.bitcoin import base58
from shared.bitcoin.errors import EncodingError, KeyMaterialError, WrongNetworkError
from shared.bitcoin.networks import Network
from shared.secret import HIDDEN

SECRET_BYTES: Final = 32
DIGEST_BYTES: Final = 32
PUBLIC_KEY_BYTES: Final = 33
X_ONLY_BYTES: Final = 32
SCHNORR_SIGNATURE_BYTES: Final = 64
CURVE_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

_ZERO: Final = bytes(SECRET_BYTES)
_COMPRESSED: Final = b"\x01"


class PrivateKey:
    """A private key: 32 bytes, a number from 1 to the curve's order less 1.

    Nothing but `reveal` and `wif` shows it, and it is compared by identity only. The public key is
    computed on first use and kept, so keep the object where one key signs often.
    """

    __slots__ = ("_key", "_secret")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SECRET_BYTES or not 0 < int.from_bytes(secret, "big") < CURVE_ORDER:
            raise KeyMaterialError(
                "private key", "out of range", "32 bytes from 1 to the order - 1"
            )
        self._secret = secret
        self._key: coincurve.PrivateKey | None = None

    @classmethod
    def of_wif(cls, text: str, network: Network) -> "PrivateKey":
        """The key that `wif` wrote; keys of uncompressed public keys are refused."""
        try:
            payload = base58.decode_check(text, "private key")
        except EncodingError as error:
            raise KeyMaterialError("private key", error.problem, error.allowed) from None
        if payload[:1] != bytes((network.wif_version,)):
            if any(payload[:1] == bytes((one.wif_version,)) for one in Network):
                raise WrongNetworkError("private key", "another network's", network.value)
            raise KeyMaterialError("private key", "unknown version", f"a key of {network.value}")
        if len(payload) != 2 + SECRET_BYTES or payload[-1:] != _COMPRESSED:
            raise KeyMaterialError("private key", "not of a compressed key", "a compressed key's")
        return cls(payload[1:-1])

    @property
    def public_key(self) -> bytes:
        """The compressed public key: 33 bytes."""
        return self._signer().public_key.format()

    @property
    def x_only(self) -> bytes:
        """The x-only public key (BIP340): 32 bytes."""
        return self._signer().public_key_xonly.format()

    def sign_ecdsa(self, digest: bytes) -> bytes:
        """The DER signature of a digest of 32 bytes: nonce after RFC 6979, low S (BIP146)."""
        _check_digest(digest)
        return self._signer().sign(digest, hasher=None)

    def sign_schnorr(self, digest: bytes, aux_rand: bytes) -> bytes:
        """The BIP340 signature of a digest of 32 bytes, verified before it is given out.

        `aux_rand` is 32 bytes of fresh randomness; zeros are allowed and make it deterministic.
        """
        _check_digest(digest)
        if len(aux_rand) != 32:
            raise KeyMaterialError("aux_rand", f"{len(aux_rand)} bytes", "32 bytes")
        return self._signer().sign_schnorr(digest, aux_rand)

    def sign_schnorr_tweaked(self, digest: bytes, tweak: bytes, aux_rand: bytes) -> bytes:
        """As `with_even_y`, `tweaked` and `sign_schnorr` in turn: how a taproot key path is signed.

        One pass through libsecp256k1, which spares three of five multiplications. KeyMaterialError
        as those raise it. The tweaked key pair is overwritten before this returns.
        """
        _check_digest(digest)
        _check_tweak(tweak)
        if len(aux_rand) != 32:
            raise KeyMaterialError("aux_rand", f"{len(aux_rand)} bytes", "32 bytes")
        pair = ffi.new("secp256k1_keypair *")
        signature = ffi.new("unsigned char[64]")
        public = ffi.new("secp256k1_xonly_pubkey *")
        try:
            is_signed = (
                lib.secp256k1_keypair_create(ctx, pair, self._secret)
                and lib.secp256k1_keypair_xonly_tweak_add(ctx, pair, tweak)
                and lib.secp256k1_schnorrsig_sign32(ctx, signature, digest, pair, aux_rand)
                and lib.secp256k1_keypair_xonly_pub(ctx, public, ffi.NULL, pair)
                and lib.secp256k1_schnorrsig_verify(ctx, signature, digest, DIGEST_BYTES, public)
            )
        finally:
            ffi.memmove(pair, bytes(ffi.sizeof("secp256k1_keypair")), ffi.sizeof(pair[0]))
        if not is_signed:
            raise KeyMaterialError("tweak", "the sum is no key", "another tweak")
        return bytes(ffi.buffer(signature))

    def tweaked(self, tweak: bytes) -> "PrivateKey":
        """The key plus a tweak; KeyMaterialError where the tweak or the sum is out of range."""
        return PrivateKey(_sum(self._secret, tweak))

    def with_even_y(self) -> "PrivateKey":
        """The key, or its negation, whose public key has an even y (BIP340)."""
        if self.public_key[0] == 2:
            return self
        return PrivateKey(bytes(wallycore.ec_scalar_subtract(_ZERO, self._secret)))

    def reveal(self) -> bytes:
        """The 32 bytes themselves."""
        return self._secret

    def wif(self, network: Network) -> str:
        """The key as text (wallet import format), for a compressed public key."""
        return base58.encode_check(bytes((network.wif_version,)) + self._secret + _COMPRESSED)

    def __repr__(self) -> str:
        return f"PrivateKey({HIDDEN})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled or copied")

    def _signer(self) -> coincurve.PrivateKey:
        signer = self._key
        if signer is None:
            signer = self._key = coincurve.PrivateKey(self._secret)
        return signer


def decode_point(field: str, public_key: bytes) -> coincurve.PublicKey:
    """The point that a compressed public key of 33 bytes is, else KeyMaterialError."""
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise KeyMaterialError(field, f"{len(public_key)} bytes", f"{PUBLIC_KEY_BYTES} bytes")
    try:
        return coincurve.PublicKey(public_key)
    except ValueError:
        raise KeyMaterialError(field, "not a point of the curve", "a compressed point") from None


def check_public_key(field: str, public_key: bytes) -> bytes:
    """`public_key` where it is a compressed point of the curve, else KeyMaterialError."""
    decode_point(field, public_key)
    return public_key


def check_x_only(field: str, x_only: bytes) -> bytes:
    """`x_only` where it is the x of a point of the curve, else KeyMaterialError."""
    if len(x_only) != X_ONLY_BYTES:
        raise KeyMaterialError(field, f"{len(x_only)} bytes", f"{X_ONLY_BYTES} bytes")
    decode_point(field, b"\x02" + x_only)
    return x_only


def tweaked_public_key(public_key: bytes, tweak: bytes) -> bytes:
    """The compressed public key plus `tweak` times the generator; compressed.

    KeyMaterialError where the key is no point, the tweak is no scalar or the sum is infinity.
    """
    point = decode_point("public key", public_key)
    _check_tweak(tweak)
    try:
        return point.add(tweak).format()
    except ValueError:
        raise KeyMaterialError("tweak", "the sum is no key", "another tweak") from None


def tweaked_x_only(x_only: bytes, tweak: bytes) -> tuple[bytes, int]:
    """The x-only key plus `tweak` times the generator, and the parity of the sum's y (BIP341)."""
    if len(x_only) != X_ONLY_BYTES:
        raise KeyMaterialError("x-only key", f"{len(x_only)} bytes", f"{X_ONLY_BYTES} bytes")
    tweaked = tweaked_public_key(b"\x02" + x_only, tweak)
    return tweaked[1:], tweaked[0] & 1


def verify_ecdsa(public_key: bytes, digest: bytes, signature: bytes) -> bool:
    """Whether the strict-DER, low-S signature is the key's over a digest of 32 bytes."""
    _check_digest(digest)
    point = decode_point("public key", public_key)
    try:
        return point.verify(signature, digest, hasher=None)
    except ValueError:
        return False


def verify_schnorr(x_only: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the BIP340 signature is the x-only key's; False for a key that is no point."""
    if len(x_only) != X_ONLY_BYTES or len(signature) != SCHNORR_SIGNATURE_BYTES:
        return False
    try:
        return coincurve.PublicKeyXOnly(x_only).verify(signature, message)
    except ValueError:
        return False


def _sum(secret: bytes, tweak: bytes) -> bytes:
    _check_tweak(tweak)
    return bytes(wallycore.ec_scalar_add(secret, tweak))


def _check_tweak(tweak: bytes) -> None:
    if len(tweak) != SECRET_BYTES or int.from_bytes(tweak, "big") >= CURVE_ORDER:
        raise KeyMaterialError("tweak", "out of range", "32 bytes below the curve's order")


def _check_digest(digest: bytes) -> None:
    if len(digest) != DIGEST_BYTES:
        raise KeyMaterialError("digest", f"{len(digest)} bytes", f"{DIGEST_BYTES} bytes")
