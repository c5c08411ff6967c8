"""Are the signatures that others put into a PSBT good? Asked before it is finalised.

A wrong one would only show when the whole witness fails; here it is named, and with it who sent it.
"""

from shared.bitcoin.errors import KeyMaterialError, PsbtError
from shared.bitcoin.keys import verify_ecdsa, verify_schnorr
from shared.bitcoin.psbt.digests import Digests
from shared.bitcoin.psbt.model import Psbt
from shared.bitcoin.psbt.sighash_types import SCHNORR_SIZE, is_ecdsa, is_schnorr, schnorr_type


def check_signatures(psbt: Psbt) -> None:
    """Verify every signature of inputs that are not final.

    Raises PsbtError naming input, field and key of the first that is wrong, of another sighash
    type, or in a leaf whose script is not there; and for spent outputs that are not proven.
    """
    digests = Digests(psbt)
    for at, one in enumerate(psbt.inputs):
        if one.is_final:
            continue
        for key, signature in one.partial_signatures.items():
            if not is_ecdsa(signature) or not _is_by(key, digests.ecdsa(at), signature[:-1]):
                raise _wrong(at, "PSBT_IN_PARTIAL_SIG", key)
        _check_taproot(digests, at)


def _check_taproot(digests: Digests, at: int) -> None:
    one = digests.psbt.inputs[at]
    if one.tap_key_signature is not None:
        key, digest = digests.program(at)[2:], digests.schnorr(at)
        if not _holds(digests, at, key, digest, one.tap_key_signature):
            raise _wrong(at, "PSBT_IN_TAP_KEY_SIG", key)
    leaves = {leaf.hash: leaf for leaf in one.tap_leaf_scripts.values()}
    for place, signature in one.tap_script_signatures.items():
        key, leaf = place[:32], leaves.get(place[32:])
        if leaf is None:
            field = f"inputs[{at}].PSBT_IN_TAP_LEAF_SCRIPT"
            raise PsbtError(field, f"missing for leaf {place[32:].hex()}", "the signed leaf")
        if not _holds(digests, at, key, digests.schnorr(at, leaf), signature):
            raise _wrong(at, "PSBT_IN_TAP_SCRIPT_SIG", key)


def _holds(digests: Digests, at: int, key: bytes, digest: bytes, signature: bytes) -> bool:
    wanted = schnorr_type(digests.psbt.inputs[at], at)
    is_wanted = is_schnorr(signature, wanted)
    return is_wanted and verify_schnorr(key, digest, signature[:SCHNORR_SIZE])


def _is_by(key: bytes, digest: bytes, signature: bytes) -> bool:
    try:
        return verify_ecdsa(key, digest, signature)
    except KeyMaterialError:
        return False


def _wrong(at: int, name: str, key: bytes) -> PsbtError:
    field = f"inputs[{at}].{name}({key.hex()})"
    return PsbtError(field, "does not verify", "a signature over the input's digest")
