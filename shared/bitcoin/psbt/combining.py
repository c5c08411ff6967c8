"""The Combiner: what several signers added to one PSBT, in one (BIP174 "Combiner").

A key with two different values is refused where the BIP lets the combiner choose: a signer that
answers twice, or differently from the draft, is worth an alarm and not a coin toss.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from shared.bitcoin.errors import PsbtError
from shared.bitcoin.psbt.codec import input_of, input_records, output_of, output_records
from shared.bitcoin.psbt.fields import INPUT, OUTPUT
from shared.bitcoin.psbt.maps import Kind, Records
from shared.bitcoin.psbt.model import (
    HAS_SIGHASH_SINGLE,
    INPUTS_MODIFIABLE,
    OUTPUTS_MODIFIABLE,
    Psbt,
    PsbtInput,
    PsbtOutput,
)

_BOTH_NEEDED = INPUTS_MODIFIABLE | OUTPUTS_MODIFIABLE


def combine(psbts: Sequence[Psbt]) -> Psbt:
    """Everything the PSBTs hold. Raises PsbtError unless all are of one transaction and version."""
    if not psbts:
        raise PsbtError("psbts", "none", "at least one")
    return reduce(_combined, psbts)


def _combined(left: Psbt, right: Psbt) -> Psbt:
    if left.version != right.version:
        raise PsbtError(
            "global.PSBT_GLOBAL_VERSION", str(right.version), f"{left.version}, as the others"
        )
    if left.identifier != right.identifier:
        raise PsbtError("global", "another transaction", f"transaction {left.unsigned.hex}")
    version = left.version
    pairs_in = zip(left.inputs, right.inputs, strict=True)
    pairs_out = zip(left.outputs, right.outputs, strict=True)
    if left.fallback_lock_time != right.fallback_lock_time:
        raise PsbtError(
            "global.PSBT_GLOBAL_FALLBACK_LOCKTIME",
            str(right.fallback_lock_time),
            f"{left.fallback_lock_time}, as the others",
        )
    return replace(
        left,
        inputs=tuple(_input(a, b, at, version) for at, (a, b) in enumerate(pairs_in)),
        outputs=tuple(_output(a, b, at, version) for at, (a, b) in enumerate(pairs_out)),
        modifiable=_modifiable(left.modifiable, right.modifiable),
        xpubs=_union(dict(left.xpubs), dict(right.xpubs), "global.PSBT_GLOBAL_XPUB"),
        others=_union(dict(left.others), dict(right.others), "global"),
    )


def _input(left: PsbtInput, right: PsbtInput, at: int, version: int) -> PsbtInput:
    if left == right:
        return left
    kind = Kind(f"inputs[{at}]", INPUT)
    records = _merged(input_records(left, version), input_records(right, version), kind)
    base: dict[str, Any] = {}
    if version == 0:
        base = {
            "previous_txid": left.previous_txid,
            "output_index": left.output_index,
            "sequence": left.sequence,
        }
    return input_of(records, at, version, base)


def _output(left: PsbtOutput, right: PsbtOutput, at: int, version: int) -> PsbtOutput:
    if left == right:
        return left
    kind = Kind(f"outputs[{at}]", OUTPUT)
    records = _merged(output_records(left, version), output_records(right, version), kind)
    base: dict[str, Any] = {}
    if version == 0:
        base = {"amount_sat": left.amount_sat, "script_pubkey": left.script_pubkey}
    return output_of(records, at, version, base)


def _merged(left: Records, right: Records, kind: Kind) -> Records:
    for key, value in right.items():
        if left.setdefault(key, value) != value:
            raise kind.error(key, "differs between the PSBTs", "one value")
    return left


def _union(left: dict[bytes, Any], right: dict[bytes, Any], place: str) -> dict[bytes, Any]:
    for key, value in right.items():
        if left.setdefault(key, value) != value:
            raise PsbtError(place, f"key {key[:16].hex()} differs", "one value")
    return left


def _modifiable(left: int | None, right: int | None) -> int | None:
    """BIP370: what either side closed stays closed; a SIGHASH_SINGLE of either counts."""
    if left is None or right is None:
        return None
    return (left & right & _BOTH_NEEDED) | ((left | right) & HAS_SIGHASH_SINGLE)
