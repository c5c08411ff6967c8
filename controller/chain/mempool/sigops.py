"""Signature operations and their cost (BIP141, Sigops; Core's `GetTransactionSigOpCost`)."""

from collections.abc import Sequence

from shared.bitcoin.errors import ScriptError
from shared.bitcoin.opcodes import Op
from shared.bitcoin.script import (
    MAX_ELEMENT_BYTES,
    ScriptKind,
    classify,
    encode_number,
    parse,
    read_witness_program,
)
from shared.bitcoin.transaction import WITNESS_SCALE_FACTOR, Transaction, TxIn, TxOut

_MAX_MULTISIG = 20
_MAX_STACK = 1_000


def count(script: bytes, *, accurate: bool) -> int:
    """Signature operations up to the first push cut short.

    A CHECKMULTISIG counts its keys if `accurate` and a small number stands before it, else 20.
    """
    total, last = 0, -1
    try:
        for code, _ in parse(script):
            if code in {Op.CHECKSIG, Op.CHECKSIGVERIFY}:
                total += 1
            elif code in {Op.CHECKMULTISIG, Op.CHECKMULTISIGVERIFY}:
                is_known = accurate and Op.N1 <= last <= Op.N16
                total += last - Op.N1 + 1 if is_known else _MAX_MULTISIG
            last = int(code)
    except ScriptError:
        return total
    return total


def is_push_only(script: bytes) -> bool:
    """Whether it does nothing but push, and no push is cut short (`CScript::IsPushOnly`)."""
    try:
        return all(code <= Op.N16 for code, _ in parse(script))
    except ScriptError:
        return False


def redeem_script(script_sig: bytes) -> bytes | None:
    """What is on top of the stack after a scriptSig that only pushes; None if running it fails.

    Failing are pushes above 520 bytes, more than 1,000 of them, and OP_RESERVED, which counts as a
    push and is none (consensus).
    """
    if not is_push_only(script_sig):
        return None
    stack = [_pushed(code, data) for code, data in parse(script_sig)]
    is_failing = len(stack) > _MAX_STACK or any(
        one is None or len(one) > MAX_ELEMENT_BYTES for one in stack
    )
    return stack[-1] if stack and not is_failing else None


def _pushed(code: int, data: bytes | None) -> bytes | None:
    if data is not None or code == Op.RESERVED:
        return data
    return encode_number(code - Op.N1 + 1)


def _last_data(script_sig: bytes) -> bytes:
    """The last push of bytes, as sigops are counted in it: nothing for a small number."""
    if not script_sig or not is_push_only(script_sig):
        return b""
    return [data for _, data in parse(script_sig)][-1] or b""


def p2sh_sigops(spender: TxIn, output: TxOut) -> int:
    """Those of the redeem script, 0 where a script hash is not what is spent."""
    if classify(output.script_pubkey) is not ScriptKind.P2SH:
        return 0
    return count(_last_data(spender.script_sig), accurate=True)


def cost(transaction: Transaction, prevouts: Sequence[TxOut]) -> int:
    """The transaction's sigop cost with the outputs that it spends, in the inputs' order."""
    legacy = sum(count(one.script_sig, accurate=False) for one in transaction.inputs)
    legacy += sum(count(one.script_pubkey, accurate=False) for one in transaction.outputs)
    pairs = list(zip(transaction.inputs, prevouts, strict=True))
    legacy += sum(p2sh_sigops(spender, output) for spender, output in pairs)
    witness = sum(_witness_sigops(spender, output) for spender, output in pairs)
    return legacy * WITNESS_SCALE_FACTOR + witness


def _witness_sigops(spender: TxIn, output: TxOut) -> int:
    program = read_witness_program(output.script_pubkey)
    if program is None and classify(output.script_pubkey) is ScriptKind.P2SH:
        program = read_witness_program(_last_data(spender.script_sig))
    if program is None or program[0] != 0:
        return 0
    if len(program[1]) == 20:
        return 1
    return count(spender.witness[-1], accurate=True) if spender.witness else 0
