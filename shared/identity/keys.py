"""Keys of identities: ECDSA on the NIST curves from P-256 up (RFC 5480), in PEM.

Made by the caller (`ec.generate_private_key(ec.SECP256R1())`), on the host that uses them.
"""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.identity.errors import MalformedError

MAX_PEM = 65_536
Digest = hashes.SHA256 | hashes.SHA384 | hashes.SHA512

_DIGESTS: dict[str, type[Digest]] = {
    "secp256r1": hashes.SHA256,
    "secp384r1": hashes.SHA384,
    "secp521r1": hashes.SHA512,
}
_ALLOWED = "an ECDSA key on P-256, P-384 or P-521"


def check_public_key(key: object, field: str = "key") -> ec.EllipticCurvePublicKey:
    """The key, if it is one of ours; `MalformedError` otherwise."""
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise MalformedError(field, f"a {type(key).__name__}", _ALLOWED)
    if key.curve.name not in _DIGESTS:
        raise MalformedError(field, f"a key on {key.curve.name}", _ALLOWED)
    return key


def digest_for(
    key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey,
) -> Digest:
    """The hash as strong as the key's curve (RFC 5758 section 3.2)."""
    digest = _DIGESTS.get(key.curve.name)
    if digest is None:
        raise MalformedError("key", f"a key on {key.curve.name}", _ALLOWED)
    return digest()


def key_pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> bytes:
    """PKCS #8 in PEM; encrypted (PBES2, scrypt or PBKDF2 as OpenSSL chooses) with a passphrase."""
    protection: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption()
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
    )


def read_key(pem: bytes, passphrase: bytes | None = None) -> ec.EllipticCurvePrivateKey:
    """A private key of ours; `MalformedError` for another kind or a wrong passphrase."""
    if len(pem) > MAX_PEM:
        raise MalformedError("key", f"{len(pem)} bytes", f"at most {MAX_PEM} bytes")
    try:
        key = serialization.load_pem_private_key(pem, passphrase)
    except TypeError as error:
        problem = "not encrypted" if passphrase else "encrypted"
        raise MalformedError("key", problem, "a passphrase exactly where one is needed") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedError("key", "unreadable", f"{_ALLOWED}, right passphrase") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise MalformedError("key", f"a {type(key).__name__}", _ALLOWED)
    check_public_key(key.public_key())
    return key
