"""COSE_Key (RFC 9052 section 7) as authenticators give it: ES256 on P-256, and Ed25519."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from shared.errors import BadInputError
from shared.messages import cbor

_MAX_KEY = 500
_KTY, _ALG, _CRV, _X, _Y = 1, 3, -1, -2, -3
_OKP, _EC2 = 1, 2
_ES256, _EDDSA = -7, -8
_P256, _ED25519 = 1, 6
_ALLOWED = "a COSE_Key with ES256 on P-256 or EdDSA on Ed25519"

PublicKey = EllipticCurvePublicKey | Ed25519PublicKey


def read_cose_key(content: bytes) -> PublicKey:
    """The key; `BadInputError` for another algorithm, curve, form, or a parameter too many."""
    if len(content) > _MAX_KEY:
        raise BadInputError("public_key", f"{len(content)} bytes", f"at most {_MAX_KEY} bytes")
    parameters = cbor.decode(content, "public_key")
    if not isinstance(parameters, dict):
        raise BadInputError("public_key", type(parameters).__name__, _ALLOWED)
    form = tuple(parameters.get(label) for label in (_KTY, _ALG, _CRV))
    x, y = parameters.get(_X), parameters.get(_Y)
    try:
        if form == (_EC2, _ES256, _P256) and len(parameters) == 5:
            return EllipticCurvePublicNumbers(
                int.from_bytes(_coordinate(x)), int.from_bytes(_coordinate(y)), SECP256R1()
            ).public_key()
        if form == (_OKP, _EDDSA, _ED25519) and len(parameters) == 4:
            return Ed25519PublicKey.from_public_bytes(_coordinate(x))
    except ValueError as error:
        raise BadInputError("public_key", str(error)[:100], _ALLOWED) from error
    raise BadInputError("public_key", f"kty, alg, crv {form}"[:80], _ALLOWED)


def verify(key: PublicKey, signature: bytes, message: bytes) -> None:
    """`BadInputError` unless the signature is the key's over the message."""
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, message)
        else:
            key.verify(signature, message, ECDSA(SHA256()))
    except InvalidSignature as error:
        raise BadInputError(
            "signature", "does not fit what it is said to sign", "a valid one"
        ) from (error)


def _coordinate(value: object) -> bytes:
    if not isinstance(value, bytes) or len(value) != 32:
        raise BadInputError("public_key", "a coordinate that is not 32 bytes", _ALLOWED)
    return value
