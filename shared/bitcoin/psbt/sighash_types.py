"""Which sighash types are signed and accepted: ALL, and taproot's DEFAULT. Every other is refused.

NONE, SINGLE and ANYONECANPAY let somebody change a transaction after it was approved.
"""

from typing import Final

from shared.bitcoin.errors import PsbtError
from shared.bitcoin.psbt.model import PsbtInput

DEFAULT: Final = 0
ALL: Final = 1
SCHNORR_SIZE: Final = 64


def ecdsa_type(one: PsbtInput, at: int) -> int:
    """The type an ECDSA signature of this input has: ALL. Raises PsbtError for another."""
    return _allowed(one, at, (ALL,), ALL)


def schnorr_type(one: PsbtInput, at: int) -> int:
    """The type a schnorr signature of this input has: DEFAULT or ALL. Raises PsbtError else."""
    return _allowed(one, at, (DEFAULT, ALL), DEFAULT)


def is_ecdsa(signature: bytes) -> bool:
    """Whether a signature with its type byte is of type ALL."""
    return signature[-1:] == bytes([ALL])


def schnorr_suffix(sighash_type: int) -> bytes:
    """What follows the 64 bytes (BIP341): nothing for DEFAULT."""
    return b"" if sighash_type == DEFAULT else bytes([sighash_type])


def is_schnorr(signature: bytes, sighash_type: int) -> bool:
    """Whether a signature as pushed is of this type."""
    return signature[SCHNORR_SIZE:] == schnorr_suffix(sighash_type)


def _allowed(one: PsbtInput, at: int, allowed: tuple[int, ...], preferred: int) -> int:
    if one.sighash_type is None:
        return preferred
    if one.sighash_type not in allowed:
        raise PsbtError(
            f"inputs[{at}].PSBT_IN_SIGHASH_TYPE",
            f"0x{one.sighash_type:02x}",
            " or ".join("DEFAULT (0x00)" if kind == DEFAULT else "ALL (0x01)" for kind in allowed),
        )
    return one.sighash_type
