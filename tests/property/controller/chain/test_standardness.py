"""What is standard, and what sigops cost, by another implementation of Core's rules (btclib).

btclib follows a later release than 29.0: it bounds data outputs together, and names them
"datacarrier"; hence at most one data output here.
"""

from collections.abc import Callable

from btclib import policy as oracle
from btclib.exceptions import BTClibException
from btclib.script.engine import sig_op_cost
from btclib.tx.tx import Tx
from btclib.tx.tx_out import TxOut as OracleTxOut
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.chain.mempool import sigops, standardness
from controller.chain.mempool.policy import CORE_29_0, RefusedError
from shared.bitcoin.hashes import sha256
from shared.bitcoin.opcodes import Op
from shared.bitcoin.script import ANCHOR, null_data, number, p2sh, p2wsh, push, script
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut

_KEY = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
_OPS = st.sampled_from(
    [Op.CHECKSIG, Op.CHECKSIGVERIFY, Op.CHECKMULTISIG, Op.CHECKMULTISIGVERIFY, Op.DUP, Op.IF]
)
_PIECES = st.one_of(
    st.integers(0, 17).map(number),
    st.binary(max_size=90).map(push),
    _OPS.map(script),
)
_SCRIPTS = st.lists(_PIECES, max_size=24).map(b"".join)
_MULTISIG = st.tuples(st.integers(1, 4), st.integers(1, 4)).map(
    lambda counts: script(counts[0], *[_KEY] * counts[1], counts[1], Op.CHECKMULTISIG)
)
_INNER = st.one_of(_SCRIPTS, _MULTISIG, st.binary(max_size=60))
_OUTPUT_SCRIPTS = st.one_of(
    st.sampled_from(
        [
            script(_KEY, Op.CHECKSIG),
            bytes.fromhex("76a914") + bytes(20) + bytes.fromhex("88ac"),
            bytes.fromhex("0014") + bytes(20),
            bytes.fromhex("5120") + bytes(32),
            number(2) + push(bytes(32)),
            ANCHOR,
        ]
    ),
    _INNER,
    _INNER.filter(lambda inner: len(inner) <= 520).map(p2sh),
    _INNER.map(p2wsh),
)
_ITEMS = st.one_of(
    st.sampled_from([b"", b"\x50annex", b"\xc0" + bytes(32), b"\xc2" + bytes(32), bytes(80)]),
    st.binary(max_size=90),
    _INNER,
)
_WITNESSES = st.one_of(
    st.just(()), st.lists(_ITEMS, max_size=4).map(tuple), st.just((b"",) * 101 + (b"\x51",))
)
_SCRIPT_SIGS = st.one_of(
    st.just(b""),
    _SCRIPTS,
    _INNER.filter(lambda inner: len(inner) <= 520).map(push),
    st.just(push(bytes(500)) * 4),
)


@st.composite
def _spends(draw: st.DrawFn) -> tuple[Transaction, list[TxOut]]:
    """A transaction with the outputs that it spends, each input with its prevout's redeem script
    or witness script often enough."""
    inputs, prevouts = [], []
    for index in range(draw(st.integers(1, 3))):
        inner, script_pubkey = draw(_INNER), draw(_OUTPUT_SCRIPTS)
        script_sig, witness = draw(_SCRIPT_SIGS), draw(_WITNESSES)
        kind = draw(st.integers(0, 4))
        if kind == 0:
            script_pubkey, witness = p2wsh(inner), (*witness, inner)
        elif kind == 1 and len(inner) <= 520:
            script_pubkey, script_sig = p2sh(inner), push(inner)
        elif kind == 2:
            program = p2wsh(inner)
            script_pubkey, script_sig, witness = p2sh(program), push(program), (*witness, inner)
        outpoint = OutPoint(sha256(bytes((index,))), 0)
        inputs.append(TxIn(outpoint, script_sig, witness=witness))
        prevouts.append(TxOut(draw(st.integers(0, 10**6)), script_pubkey))
    scripts = draw(st.lists(_OUTPUT_SCRIPTS, min_size=1, max_size=4))
    outputs = [TxOut(draw(st.integers(0, 700)), one) for one in scripts if one[:1] != b"\x6a"]
    if draw(st.booleans()) or not outputs:
        outputs.append(TxOut(0, null_data(draw(st.binary(max_size=90)))))
    return Transaction(draw(st.integers(0, 4)), tuple(inputs), tuple(outputs)), prevouts


def _reason(check: Callable[[], None]) -> str | None:
    try:
        check()
    except RefusedError as error:
        return error.reason
    return None


def _oracle_reason(transaction: Tx) -> str | None:
    try:
        oracle.assert_standard_tx(transaction, max_datacarrier_bytes=83)
    except BTClibException as error:
        return {"datacarrier": "scriptpubkey"}.get(str(error), str(error))
    return None


@settings(max_examples=150)
@given(_spends())
def test_another_implementation_judges_alike(spent: tuple[Transaction, list[TxOut]]) -> None:
    transaction, prevouts = spent
    other = Tx.parse(transaction.serialise(), check_validity=False)
    others = [OracleTxOut.parse(one.serialise(), check_validity=False) for one in prevouts]
    form = _reason(lambda: standardness.check_form(transaction, CORE_29_0))
    if form != "tx-size-small":  # Core checks it after IsStandardTx
        assert form == _oracle_reason(other)
    assert list(standardness.dust_outputs(transaction, CORE_29_0)) == oracle.dust_outputs(other)
    assert sigops.cost(transaction, prevouts) == sig_op_cost(others, other)
    if form == "scriptsig-not-pushonly":
        return  # refused already; what it computes is run by nobody here
    inputs = _reason(lambda: standardness.check_inputs(transaction, prevouts, CORE_29_0))
    assert (inputs is None) == oracle.are_inputs_standard(others, other)
    witnesses = _reason(lambda: standardness.check_witnesses(transaction, prevouts, CORE_29_0))
    assert (witnesses is None) == oracle.is_witness_standard(others, other)
