"""Core's engine verifies every kind of input that the suite signs."""

import pytest

from controller.chain.engine import verify
from controller.chain.errors import ScriptRefusedError
from shared.bitcoin.errors import TransactionError
from shared.bitcoin.hashes import hash160
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.opcodes import Op
from shared.bitcoin.script import p2wpkh, p2wsh, script
from shared.bitcoin.sighash import SegwitV0Sighash, TaprootSighash, key_hash_code
from shared.bitcoin.taproot import TaprootOutput
from shared.bitcoin.transaction import OutPoint, Transaction, TxOut
from tests.unit.controller.chain.ledger import ANYONE, spend

_KEYS = [PrivateKey(bytes(31) + bytes((number,))) for number in (1, 2, 3)]
_TAPROOT = TaprootOutput(_KEYS[0].x_only)
_TWO_OF_THREE = script(2, *(one.public_key for one in _KEYS), 3, Op.CHECKMULTISIG)
_PREVOUTS = (
    TxOut(50_000, p2wpkh(_KEYS[0].public_key)),
    TxOut(60_000, p2wsh(_TWO_OF_THREE)),
    TxOut(70_000, _TAPROOT.script_pubkey),
)


def _unsigned(amount_sat: int = 170_000) -> Transaction:
    inputs = [OutPoint(bytes(31) + b"\x01", vout) for vout in range(3)]
    return spend(inputs, [TxOut(amount_sat, ANYONE)], witness=())


def _signed(unsigned: Transaction, amounts: tuple[int, int] = (50_000, 60_000)) -> Transaction:
    segwit = SegwitV0Sighash(unsigned)
    first = segwit.digest(0, key_hash_code(hash160(_KEYS[0].public_key)), amounts[0])
    second = segwit.digest(1, _TWO_OF_THREE, amounts[1])
    third = TaprootSighash(unsigned, _PREVOUTS).digest(2)
    tweaked = _TAPROOT.tweaked_private(_KEYS[0])
    return unsigned.with_witnesses(
        [
            (_KEYS[0].sign_ecdsa(first) + b"\x01", _KEYS[0].public_key),
            (
                b"",
                *(one.sign_ecdsa(second) + b"\x01" for one in _KEYS[1:]),
                _TWO_OF_THREE,
            ),
            (tweaked.sign_schnorr(third, bytes(32)),),
        ]
    )


def test_signatures_of_every_kind_are_verified() -> None:
    verify(_signed(_unsigned()), _PREVOUTS)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_input_whose_witness_is_another_ones_is_named(index: int) -> None:
    other = _signed(_unsigned(169_999))
    good = _signed(_unsigned())
    witnesses = [one.witness for one in good.inputs]
    witnesses[index] = other.inputs[index].witness
    with pytest.raises(ScriptRefusedError) as raised:
        verify(good.with_witnesses(witnesses), _PREVOUTS)
    assert (raised.value.index, raised.value.txid) == (index, good.txid)


def test_a_signature_over_another_amount_is_refused() -> None:
    with pytest.raises(ScriptRefusedError, match="input 1"):
        verify(_signed(_unsigned(), (50_000, 60_001)), _PREVOUTS)


def test_one_output_is_given_for_each_input() -> None:
    with pytest.raises(TransactionError, match="prevouts"):
        verify(_signed(_unsigned()), _PREVOUTS[:2])
