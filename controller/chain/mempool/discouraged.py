"""Policy-only script flags that can be told without running a script.

Core's `STANDARD_SCRIPT_VERIFY_FLAGS` beyond consensus: LOW_S, DISCOURAGE_UPGRADABLE_TAPROOT_VERSION
and DISCOURAGE_OP_SUCCESS. Core 29.0 reports them as `non-mandatory-script-verify-flag`.
"""

from collections.abc import Sequence

from controller.chain.mempool.policy import RefusedError
from shared.bitcoin.errors import ScriptError
from shared.bitcoin.script import ScriptKind, classify, parse
from shared.bitcoin.transaction import Transaction, TxIn, TxOut

_REASON = "non-mandatory-script-verify-flag"
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_LEAF_MASK, _TAPSCRIPT = 0xFE, 0xC0
_OP_SUCCESS = frozenset(
    {80, 98, *range(126, 130), *range(131, 135), 137, 138, 141, 142, *range(149, 154)}
    | set(range(187, 255))
)
"""BIP342, Specification: opcodes that succeed unconditionally, for upgrades to come."""


def check(transaction: Transaction, prevouts: Sequence[TxOut]) -> None:
    """Raises `RefusedError` for the first input that Core's relay would discourage."""
    for index, (spender, output) in enumerate(zip(transaction.inputs, prevouts, strict=True)):
        if classify(output.script_pubkey) is ScriptKind.P2TR:
            _check_tapscript(index, spender)
        elif any(_is_high_s(one) for one in _elements(spender)):
            raise RefusedError(_REASON, f"input {index}: S value is unnecessarily high")


def _check_tapscript(index: int, spender: TxIn) -> None:
    if len(spender.witness) < 2:
        return
    *_, leaf_script, control_block = spender.witness
    if not control_block or control_block[0] & _LEAF_MASK != _TAPSCRIPT:
        raise RefusedError(_REASON, f"input {index}: Taproot version reserved for upgrades")
    try:
        has_success = any(code in _OP_SUCCESS for code, _ in parse(leaf_script))
    except ScriptError:
        return  # not decodable, hence not valid: the engine says so
    if has_success:
        raise RefusedError(_REASON, f"input {index}: OP_SUCCESSx reserved for upgrades")


def _elements(spender: TxIn) -> list[bytes]:
    pushed = [data for _, data in parse(spender.script_sig) if data]
    return [*spender.witness, *pushed]


def _is_high_s(element: bytes) -> bool:
    """Whether it is a DER signature (BIP66) with its hash type, and S above half the order."""
    if not 9 <= len(element) <= 73 or element[0] != 0x30 or element[1] != len(element) - 3:
        return False
    r_length = element[3]
    if element[2] != 0x02 or 5 + r_length >= len(element) or element[4 + r_length] != 0x02:
        return False
    s_length = element[5 + r_length]
    if r_length + s_length + 7 != len(element):
        return False
    return int.from_bytes(element[6 + r_length : -1], "big") > _HALF_ORDER
