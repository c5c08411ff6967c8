"""The keys whose commands are taken: Ed25519 public keys in PEM files."""

from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from shared.errors import BadInputError

MAX_KEY_FILE = 64 * 1024


def load_trusted_keys(files: Mapping[str, Path]) -> dict[bytes, Ed25519PublicKey]:
    """Keys by id, from files by id in hex; `BadInputError` names the key and the file."""
    return {bytes.fromhex(key_id): _load(key_id, file) for key_id, file in files.items()}


def _load(key_id: str, file: Path) -> Ed25519PublicKey:
    field = f"commands.trusted_keys.{key_id}"
    try:
        with file.open("rb") as stream:
            key = load_pem_public_key(stream.read(MAX_KEY_FILE))
    except OSError as error:
        raise BadInputError(field, f"{file}: {error.strerror}", "a readable file") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadInputError(field, f"{file}: not a public key", "an Ed25519 PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadInputError(field, f"{file}: another kind of key", "an Ed25519 public key in PEM")
    return key
