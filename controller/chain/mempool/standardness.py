"""What is standard in a transaction: form, outputs, inputs and witnesses.

Core's `IsStandardTx`, `AreInputsStandard`, `IsWitnessStandard` (`src/policy/policy.cpp`). Each
function raises `RefusedError` with Core's reject reason.
"""

from collections.abc import Sequence

from controller.chain.mempool.policy import Policy, RefusedError, fee_sat_at
from controller.chain.mempool.sigops import is_push_only, p2sh_sigops, redeem_script
from shared.bitcoin.opcodes import Op
from shared.bitcoin.script import (
    ANCHOR,
    MAX_SCRIPT_BYTES,
    ScriptKind,
    classify,
    read_multisig,
    read_witness_program,
)
from shared.bitcoin.transaction import Transaction, TxIn, TxOut

_WITNESS_INPUT_BYTES = 67
_INPUT_BYTES = 148
_ANNEX_TAG = b"\x50"
_LEAF_MASK, _TAPSCRIPT = 0xFE, 0xC0
_MAX_STANDARD_MULTISIG = 3


def dust_threshold_sat(output: TxOut, policy: Policy) -> int:
    """Below this an output costs more to spend than it holds; 0 for what cannot be spent."""
    script_pubkey = output.script_pubkey
    if script_pubkey[:1] == bytes((Op.RETURN,)) or len(script_pubkey) > MAX_SCRIPT_BYTES:
        return 0
    is_witness = read_witness_program(script_pubkey) is not None
    spending = _WITNESS_INPUT_BYTES if is_witness else _INPUT_BYTES
    return fee_sat_at(policy.dust_relay_sat_per_kvb, len(output.serialise()) + spending)


def dust_outputs(transaction: Transaction, policy: Policy) -> tuple[int, ...]:
    """The indices of its outputs below the threshold."""
    return tuple(
        index
        for index, output in enumerate(transaction.outputs)
        if output.amount_sat < dust_threshold_sat(output, policy)
    )


def check_form(transaction: Transaction, policy: Policy) -> None:
    """Version, weight, scriptSigs and outputs, without looking at what is spent."""
    if not 1 <= transaction.version <= policy.max_version:
        raise RefusedError("version", str(transaction.version))
    if transaction.weight > policy.max_weight:
        raise RefusedError("tx-size", f"{transaction.weight} > {policy.max_weight}")
    for one in transaction.inputs:
        if len(one.script_sig) > policy.max_script_sig_bytes:
            raise RefusedError("scriptsig-size", f"{len(one.script_sig)} bytes")
        if not is_push_only(one.script_sig):
            raise RefusedError("scriptsig-not-pushonly")
    kinds = [_standard_kind(one, policy) for one in transaction.outputs]
    dust = dust_outputs(transaction, policy)
    if len(dust) > policy.max_dust_outputs:
        raise RefusedError("dust", f"outputs {', '.join(map(str, dust))}")
    if kinds.count(ScriptKind.NULL_DATA) > 1:
        raise RefusedError("multi-op-return")
    base_bytes = len(transaction.serialise_without_witness())
    if base_bytes < policy.min_base_bytes:
        raise RefusedError("tx-size-small", f"{base_bytes} bytes")


def _standard_kind(output: TxOut, policy: Policy) -> ScriptKind:
    kind = classify(output.script_pubkey)
    if kind is ScriptKind.NONSTANDARD:
        raise RefusedError("scriptpubkey")
    if kind is ScriptKind.NULL_DATA and len(output.script_pubkey) > policy.max_data_carrier_bytes:
        raise RefusedError("scriptpubkey", f"{len(output.script_pubkey)} bytes of data")
    multisig = read_multisig(output.script_pubkey) if kind is ScriptKind.MULTISIG else None
    if multisig is not None and len(multisig[1]) > _MAX_STANDARD_MULTISIG:
        raise RefusedError("scriptpubkey", f"bare multisig of {len(multisig[1])} keys")
    return kind


def check_inputs(transaction: Transaction, prevouts: Sequence[TxOut], policy: Policy) -> None:
    """Nothing non-standard or from the future is spent, no redeem script is too dear to check."""
    for index, (spender, output) in enumerate(zip(transaction.inputs, prevouts, strict=True)):
        kind = classify(output.script_pubkey)
        if kind in {ScriptKind.NONSTANDARD, ScriptKind.WITNESS_UNKNOWN}:
            raise RefusedError("bad-txns-nonstandard-inputs", f"input {index}: {kind.value}")
        if kind is ScriptKind.P2SH and redeem_script(spender.script_sig) is None:
            raise RefusedError("bad-txns-nonstandard-inputs", f"input {index}: no redeem script")
        if p2sh_sigops(spender, output) > policy.max_p2sh_sigops:
            raise RefusedError("bad-txns-nonstandard-inputs", f"input {index}: too many sigops")


def check_witnesses(transaction: Transaction, prevouts: Sequence[TxOut], policy: Policy) -> None:
    """Witnesses only where a witness program is spent, within the limits on stacks and scripts."""
    for index, (spender, output) in enumerate(zip(transaction.inputs, prevouts, strict=True)):
        if spender.witness and not _is_standard_witness(spender, output, policy):
            raise RefusedError("bad-witness-nonstandard", f"input {index}")


def _is_standard_witness(spender: TxIn, output: TxOut, policy: Policy) -> bool:
    script_pubkey = output.script_pubkey
    if script_pubkey == ANCHOR:
        return False
    is_nested = classify(script_pubkey) is ScriptKind.P2SH
    if is_nested:
        script_pubkey = redeem_script(spender.script_sig) or b""
    program = read_witness_program(script_pubkey)
    if program is None:
        return False
    version, content = program
    if version == 0 and len(content) == 32:
        *items, witness_script = spender.witness
        return (
            len(witness_script) <= policy.max_witness_script_bytes
            and len(items) <= policy.max_witness_items
            and all(len(one) <= policy.max_witness_item_bytes for one in items)
        )
    if version == 1 and len(content) == 32 and not is_nested:
        return _is_standard_taproot(spender.witness, policy)
    return True


def _is_standard_taproot(witness: tuple[bytes, ...], policy: Policy) -> bool:
    if len(witness) == 1:
        return True
    if witness[-1][:1] == _ANNEX_TAG:
        return False
    *items, _, control_block = witness
    if not control_block:
        return False
    is_tapscript = control_block[0] & _LEAF_MASK == _TAPSCRIPT
    return not is_tapscript or all(len(one) <= policy.max_witness_item_bytes for one in items)
