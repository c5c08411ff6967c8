"""Inputs, amounts, feerates, signatures, and what the mempool has already."""

import pytest

from controller.chain.mempool.policy import Policy
from shared.bitcoin.hashes import hash160
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.opcodes import Op
from shared.bitcoin.script import p2wpkh, p2wsh, script
from shared.bitcoin.sighash import SegwitV0Sighash, key_hash_code
from shared.bitcoin.transaction import NULL_TXID, OutPoint, Transaction, TxIn, TxOut
from tests.unit.controller.chain.ledger import ANYONE, COIN_SAT, TRUE, Ledger, spend

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def test_a_transaction_at_the_relay_feerate_is_let_in_and_one_satoshi_less_is_refused() -> None:
    ledger = Ledger()
    vsize = ledger.pay([ledger.give()], 0).vsize
    cheap = ledger.submit(ledger.pay([ledger.give()], vsize - 1))
    assert (cheap.reason, cheap.vsize, cheap.fee_sat) == ("min relay fee not met", vsize, vsize - 1)
    assert ledger.reason(ledger.pay([ledger.give()], vsize)) is None


def test_what_spends_nothing_known_is_refused() -> None:
    ledger = Ledger()
    unknown = spend([OutPoint(bytes(31) + b"\x01", 0)], [TxOut(1_000, ANYONE)])
    assert ledger.reason(unknown) == "bad-txns-inputs-missingorspent"


def test_an_output_that_an_unconfirmed_parent_does_not_have_is_missing() -> None:
    ledger = Ledger()
    parent = ledger.pay([ledger.give()], 1_000)
    assert ledger.reason(parent) is None
    beyond = spend([OutPoint(parent.txid, 1)], [TxOut(1_000, ANYONE)])
    assert ledger.reason(beyond) == "bad-txns-inputs-missingorspent"
    assert ledger.reason(ledger.pay([parent.outpoint(0)], 1_000)) is None


def test_a_transaction_that_is_in_a_block_already_is_known() -> None:
    ledger = Ledger()
    coin = ledger.give()
    paid = ledger.pay([coin], 1_000)
    ledger.coins[paid.outpoint(0)] = ledger.coins.pop(coin)
    assert ledger.reason(paid) == "txn-already-known"


def test_outputs_above_the_inputs_are_refused() -> None:
    ledger = Ledger()
    paid = [TxOut(COIN_SAT + 1, ANYONE)]
    assert ledger.reason(spend([ledger.give()], paid)) == "bad-txns-in-belowout"


def test_an_input_twice_is_refused() -> None:
    ledger = Ledger()
    coin = ledger.give()
    assert ledger.reason(ledger.pay([coin, coin], 1_000)) == "bad-txns-inputs-duplicate"


def test_a_coinbase_or_an_input_of_nothing_is_refused() -> None:
    ledger = Ledger()
    nothing = TxIn(OutPoint(NULL_TXID, 0xFFFFFFFF), script_sig=b"\x01\x01")
    outputs = (TxOut(1_000, ANYONE),)
    assert ledger.reason(Transaction(2, (nothing,), outputs)) == "coinbase"
    coin = TxIn(ledger.give(), witness=(TRUE,))
    assert ledger.reason(Transaction(2, (coin, nothing), outputs)) == "bad-txns-prevout-null"


def test_the_same_transaction_again_is_named_as_such_and_with_another_witness_too() -> None:
    ledger = Ledger()
    either = script(Op.DROP, 1)
    coin = ledger.give(script_pubkey=p2wsh(either))
    paid = [TxOut(COIN_SAT - 1_000, ANYONE)]
    first = spend([coin], paid, witness=(b"", either))
    assert ledger.reason(first) is None
    assert ledger.reason(first) == "txn-already-in-mempool"
    again = spend([coin], paid, witness=(b"\x01", either))
    assert ledger.reason(again) == "txn-same-nonwitness-data-in-mempool"


def test_a_test_changes_nothing() -> None:
    ledger = Ledger()
    paid = ledger.pay([ledger.give()], 1_000)
    assert ledger.mempool.submit(paid, is_test=True).is_accepted
    assert paid.txid not in ledger.mempool.pool
    assert ledger.reason(paid) is None


def test_a_full_mempool_refuses_what_is_new() -> None:
    ledger = Ledger(policy=Policy(max_pool_weight=1_000))
    coin, other = ledger.give(), ledger.give()
    assert ledger.reason(ledger.pay([coin], 1_000)) is None
    assert ledger.reason(ledger.pay([other], 1_000, outputs=5)) == "mempool full"
    assert ledger.reason(ledger.pay([other], 1_000)) is None


def _signed(ledger: Ledger, key: PrivateKey, *, high_s: bool, corrupt: bool) -> Transaction:
    coin = ledger.give(script_pubkey=p2wpkh(key.public_key))
    unsigned = spend([coin], [TxOut(COIN_SAT - 1_000, ANYONE)], witness=())
    code = key_hash_code(hash160(key.public_key))
    digest = SegwitV0Sighash(unsigned).digest(0, code, COIN_SAT)
    signature = key.sign_ecdsa(bytes(32) if corrupt else digest)
    if high_s:
        signature = _with_high_s(signature)
    return unsigned.with_witnesses([(signature + b"\x01", key.public_key)])


def _with_high_s(signature: bytes) -> bytes:
    r_length = signature[3]
    r_part = signature[2 : 4 + r_length]
    s = _ORDER - int.from_bytes(signature[6 + r_length :], "big")
    encoded = s.to_bytes(33, "big").lstrip(b"\x00")
    encoded = b"\x00" + encoded if encoded[0] & 0x80 else encoded
    body = r_part + b"\x02" + bytes((len(encoded),)) + encoded
    return b"\x30" + bytes((len(body),)) + body


def test_a_signature_over_something_else_is_refused_by_cores_engine() -> None:
    ledger = Ledger()
    key = PrivateKey(bytes(31) + b"\x07")
    wrong = _signed(ledger, key, high_s=False, corrupt=True)
    assert ledger.reason(wrong) == "mandatory-script-verify-flag-failed"
    assert ledger.reason(_signed(ledger, key, high_s=False, corrupt=False)) is None


def test_a_signature_with_a_high_s_is_refused_by_policy() -> None:
    ledger = Ledger()
    high = _signed(ledger, PrivateKey(bytes(31) + b"\x07"), high_s=True, corrupt=False)
    verdict = ledger.submit(high)
    assert verdict.reason == "non-mandatory-script-verify-flag"
    assert "S value" in verdict.detail


@pytest.mark.parametrize(("each", "reason"), [(5, None), (200, "bad-txns-too-many-sigops")])
def test_a_transaction_has_a_sigop_cost_of_at_most_16000(each: int, reason: str | None) -> None:
    ledger = Ledger()
    body = script(0, Op.IF, *[Op.CHECKSIG] * each, Op.ENDIF, 1)
    coins = [ledger.give(script_pubkey=p2wsh(body)) for _ in range(90)]
    paid = [TxOut(COIN_SAT, ANYONE)]
    assert ledger.reason(spend(coins, paid, witness=(body,))) == reason


def test_sigops_weigh_twenty_bytes_each() -> None:
    ledger = Ledger()
    body = script(0, Op.IF, *[Op.CHECKSIG] * 150, Op.ENDIF, 1)
    paid = spend([ledger.give(script_pubkey=p2wsh(body))], [TxOut(1_000, ANYONE)], witness=(body,))
    assert paid.vsize < 150
    assert ledger.submit(paid).vsize == 150 * 20 // 4
