"""Adaptor signatures over BIP340: locked under a point, and revealing the point's secret.

`pre_sign` makes 65 bytes for an adaptor point T = t·G. Whoever knows t `adapt`s them into an
ordinary BIP340 signature; whoever sees that signature `extract`s t. Atomic swaps stand on this.

The encoding is R' (33 bytes compressed, R' = k·G + T) and s (32 bytes), s = k + e·d when R' has an
even y, e·d − k when it has an odd one, with e BIP340's challenge over x(R'). Both are those that
BlockstreamResearch/secp256k1-zkp#299 proposes (an open proposal, no standard), and so is the nonce:
BIP340's derivation under tags of its own, with T between the masked key and the public key, so that
no nonce is ever shared with a plain signature or with another adaptor point.

Secret scalars are added and multiplied by libwally and libsecp256k1, in constant time.
"""

from typing import Final

import wallycore
from coincurve import PublicKey

from shared.bitcoin.errors import BitcoinError, KeyMaterialError
from shared.bitcoin.hashes import tagged_hash
from shared.bitcoin.keys import CURVE_ORDER, PrivateKey, check_public_key, check_x_only

PRE_SIGNATURE_SIZE: Final = 65
SIGNATURE_SIZE: Final = 64

_ZERO: Final = bytes(32)
_AUX_TAG: Final = b"SchnorrAdaptor/aux"
_NONCE_TAG: Final = b"SchnorrAdaptor/nonce"
_CHALLENGE_TAG: Final = b"BIP0340/challenge"
_ODD: Final = 3


class AdaptorError(BitcoinError):
    """An argument that is no key, point, pre-signature or signature, or two that do not belong."""


def pre_sign(key: PrivateKey, message: bytes, adaptor_point: bytes, aux_random: bytes) -> bytes:
    """Return the 65-byte pre-signature of a 32-byte message for a compressed adaptor point.

    `aux_random` is 32 random bytes, as in BIP340. Raises AdaptorError for a malformed argument.
    """
    _check_size("message", message, 32)
    _check_size("aux_random", aux_random, 32)
    point = _point(adaptor_point, "adaptor_point")
    key = key.with_even_y()
    nonce = _nonce(key, adaptor_point, message, aux_random)
    shifted = _sum(PublicKey.from_secret(nonce), point)
    if shifted is None:
        raise AdaptorError("aux_random", "the nonce point is infinity", "other random bytes")
    encoded = shifted.format()
    if encoded[0] == _ODD:
        nonce = _negative(nonce)
    challenge = _challenge(encoded[1:], key.x_only, message)
    keyed = bytes(wallycore.ec_scalar_multiply(challenge, key.reveal()))
    made = encoded + _add(nonce, keyed)
    # BIP340 asks for it of every signature: a fault in the arithmetic gives the key away.
    if not pre_verify(made, message, key.x_only, adaptor_point):
        raise AdaptorError("pre_signature", "does not verify", "arithmetic without a fault")
    return made


def pre_verify(
    pre_signature: bytes, message: bytes, public_key: bytes, adaptor_point: bytes
) -> bool:
    """Will this pre-signature, once adapted, be a signature by the x-only key, and reveal t?

    False for 65 bytes that do not hold; an argument of another form raises AdaptorError.
    """
    _check_size("message", message, 32)
    expected = _point(adaptor_point, "adaptor_point")
    signer = _x_only(public_key)
    _check_size("pre_signature", pre_signature, PRE_SIGNATURE_SIZE)
    try:
        shifted, scalar = _parse(pre_signature)
    except AdaptorError:
        return False
    challenge = _challenge(pre_signature[1:33], public_key, message)
    nonce_point = _nonce_point(scalar, challenge, signer)
    if nonce_point is None:
        return False
    # k was negated for an odd R'; the adaptor point is what is left of R' without k·G.
    if pre_signature[0] != _ODD:
        nonce_point = _negated(nonce_point)
    locked = _sum(shifted, nonce_point)
    return locked is not None and locked.format() == expected.format()


def adapt(pre_signature: bytes, adaptor_secret: bytes) -> bytes:
    """Return the 64-byte BIP340 signature that a pre-signature becomes with its adaptor secret.

    Another secret yields 64 bytes that do not verify: verify them before they are relied upon.
    """
    _, scalar = _parse(pre_signature)
    secret = _secret(adaptor_secret)
    if pre_signature[0] == _ODD:
        secret = _negative(secret)
    return pre_signature[1:33] + _add(scalar, secret)


def extract(pre_signature: bytes, signature: bytes, adaptor_point: bytes) -> bytes:
    """Return the 32-byte adaptor secret that a completed signature reveals.

    Raises AdaptorError when the two do not belong together or the secret is not the point's.
    """
    _, locked = _parse(pre_signature)
    _check_size("signature", signature, SIGNATURE_SIZE)
    point = _point(adaptor_point, "adaptor_point")
    if signature[:32] != pre_signature[1:33]:
        raise AdaptorError("signature", "another nonce", "the pre-signature's own signature")
    if int.from_bytes(signature[32:], "big") >= CURVE_ORDER:
        raise AdaptorError("signature", "s out of range", "s below the curve's order")
    minuend, subtrahend = signature[32:], locked
    if pre_signature[0] == _ODD:
        minuend, subtrahend = subtrahend, minuend
    revealed = bytes(wallycore.ec_scalar_subtract(minuend, subtrahend))
    if revealed == _ZERO:
        raise AdaptorError("signature", "reveals no secret", "an adapted signature")
    if PublicKey.from_secret(revealed).format() != point.format():
        raise AdaptorError("signature", "reveals another secret", "an adapted signature")
    return revealed


def _nonce(key: PrivateKey, point: bytes, message: bytes, aux_random: bytes) -> bytes:
    mask = tagged_hash(_AUX_TAG, aux_random)
    masked = bytes(one ^ other for one, other in zip(mask, key.reveal(), strict=True))
    nonce = tagged_hash(_NONCE_TAG, masked + point + key.x_only + message)
    if not 0 < int.from_bytes(nonce, "big") < CURVE_ORDER:  # once in 2**128
        raise AdaptorError("aux_random", "no nonce", "other random bytes")
    return nonce


def _challenge(nonce_x: bytes, public_key: bytes, message: bytes) -> bytes:
    hashed = tagged_hash(_CHALLENGE_TAG, nonce_x + public_key + message)
    return (int.from_bytes(hashed, "big") % CURVE_ORDER).to_bytes(32, "big")


def _nonce_point(scalar: bytes, challenge: bytes, signer: PublicKey) -> PublicKey | None:
    """s·G − e·P: the point of ±k; None for infinity. All of it is public."""
    if challenge == _ZERO:
        return PublicKey.from_secret(scalar) if scalar != _ZERO else None
    keyed = signer.multiply(_negative(challenge))
    return _sum(PublicKey.from_secret(scalar), keyed) if scalar != _ZERO else keyed


def _sum(left: PublicKey, right: PublicKey) -> PublicKey | None:
    try:
        return PublicKey.combine_keys([left, right])
    except ValueError:
        return None


def _negated(point: PublicKey) -> PublicKey:
    encoded = point.format()
    return PublicKey(bytes([encoded[0] ^ 1]) + encoded[1:])


def _parse(pre_signature: bytes) -> tuple[PublicKey, bytes]:
    _check_size("pre_signature", pre_signature, PRE_SIGNATURE_SIZE)
    scalar = pre_signature[33:]
    if int.from_bytes(scalar, "big") >= CURVE_ORDER:
        raise AdaptorError("pre_signature", "s out of range", "s below the curve's order")
    return _point(pre_signature[:33], "pre_signature"), scalar


def _point(encoded: bytes, field: str) -> PublicKey:
    try:
        return PublicKey(check_public_key(field, encoded))
    except KeyMaterialError as refused:
        raise AdaptorError(field, refused.problem, refused.allowed) from refused


def _x_only(encoded: bytes) -> PublicKey:
    try:
        return PublicKey(b"\x02" + check_x_only("public_key", encoded))
    except KeyMaterialError as refused:
        raise AdaptorError("public_key", refused.problem, refused.allowed) from refused


def _secret(secret: bytes) -> bytes:
    try:
        return PrivateKey(secret).reveal()
    except KeyMaterialError as refused:
        raise AdaptorError("adaptor_secret", refused.problem, refused.allowed) from None


def _add(one: bytes, other: bytes) -> bytes:
    return bytes(wallycore.ec_scalar_add(one, other))


def _negative(scalar: bytes) -> bytes:
    return bytes(wallycore.ec_scalar_subtract(_ZERO, scalar))


def _check_size(field: str, value: bytes, size: int) -> None:
    if len(value) != size:
        raise AdaptorError(field, f"{len(value)} bytes", f"{size} bytes")
