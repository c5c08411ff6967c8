"""Transactions serialise as consensus has them, and nothing but the canonical form is read."""

from pathlib import Path

import pytest

from shared.bitcoin.errors import BitcoinError, EncodingError, TransactionError
from shared.bitcoin.hashes import sha256d
from shared.bitcoin.transaction import (
    NULL_TXID,
    OutPoint,
    Transaction,
    TxIn,
    TxOut,
    display,
    identifier_of,
)
from shared.bitcoin.wire import Reader
from tests.unit.shared.bitcoin.vectors import load

OUTPOINT = OutPoint(bytes(range(32)), 7)
PLAIN = Transaction(2, (TxIn(OUTPOINT),), (TxOut(1_000, b"\x51"),), 500)
SIGNED = PLAIN.with_witnesses([(b"signature", b"")])


def test_every_transaction_of_a_real_block_comes_back_byte_for_byte(shared_data: Path) -> None:
    block = (shared_data / "chain" / "block413567.raw").read_bytes()
    reader = Reader(block, "block")
    header = reader.take(80)
    transactions = []
    for _ in range(reader.varint()):
        begin = reader.position
        transaction = Transaction.read(reader)
        raw = block[begin : reader.position]
        assert transaction.serialise() == raw
        assert Transaction.parse(raw) == transaction
        transactions.append(transaction)
    reader.end()
    assert len(transactions) == 1557
    assert [one.is_coinbase for one in transactions].count(True) == 1
    assert _merkle_root([one.txid for one in transactions]) == header[36:68]


def _merkle_root(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        if len(hashes) % 2:
            hashes.append(hashes[-1])
        hashes = [sha256d(left + right) for left, right in zip(*[iter(hashes)] * 2, strict=True)]
    return hashes[0]


def test_a_signed_transaction_has_the_id_of_the_unsigned_one_and_another_witness_id() -> None:
    assert SIGNED.txid == PLAIN.txid == PLAIN.wtxid
    assert SIGNED.wtxid != SIGNED.txid
    assert SIGNED.serialise_without_witness() == PLAIN.serialise()
    assert SIGNED.hex == PLAIN.txid[::-1].hex()


def test_weight_counts_the_bytes_without_witness_four_times() -> None:
    assert PLAIN.weight == 4 * len(PLAIN.serialise())
    extra = len(SIGNED.serialise()) - len(PLAIN.serialise())
    assert SIGNED.weight == PLAIN.weight + extra
    assert SIGNED.vsize == -(-SIGNED.weight // 4)
    assert extra == 2 + 1 + 10 + 1


def test_the_signed_transactions_of_bip143_are_read_and_written_alike() -> None:
    for vector in load("bip143")["vectors"]:
        raw = bytes.fromhex(vector["transaction"])
        assert Transaction.parse(raw).serialise() == raw


@pytest.mark.parametrize("cut", range(len(SIGNED.serialise())))
def test_a_transaction_cut_short_anywhere_is_refused(cut: int) -> None:
    with pytest.raises(EncodingError):
        Transaction.parse(SIGNED.serialise()[:cut])


def test_bytes_behind_a_transaction_are_refused() -> None:
    with pytest.raises(EncodingError, match="after the end"):
        Transaction.parse(PLAIN.serialise() + b"\x00")


def test_a_witness_part_in_which_every_stack_is_empty_is_refused() -> None:
    raw = PLAIN.serialise()
    with pytest.raises(EncodingError, match="without a witness"):
        Transaction.parse(raw[:4] + b"\x00\x01" + raw[4:-4] + b"\x00" + raw[-4:])


@pytest.mark.parametrize("flag", [0, 2, 3, 0xFF])
def test_an_unknown_flag_is_refused(flag: int) -> None:
    raw = SIGNED.serialise()
    with pytest.raises(EncodingError, match="unknown flag"):
        Transaction.parse(raw[:5] + bytes((flag,)) + raw[6:])


def test_a_count_written_longer_than_needed_is_refused() -> None:
    raw = PLAIN.serialise()
    with pytest.raises(EncodingError, match="shortest form"):
        Transaction.parse(raw[:4] + b"\xfd\x01\x00" + raw[5:])


def test_no_input_or_no_output_is_refused_but_read_where_bip174_allows_it() -> None:
    empty = Transaction(2, (), (TxOut(5, b""),))
    no_output = Transaction(2, (TxIn(OUTPOINT),), ())
    for one in (empty, no_output):
        with pytest.raises(EncodingError):
            Transaction.parse(one.serialise())
        assert Transaction.parse_without_witness(one.serialise()) == one
    with pytest.raises(BitcoinError):
        Transaction.parse_without_witness(SIGNED.serialise())


def test_an_amount_above_all_the_money_is_refused() -> None:
    raw = PLAIN.serialise()
    amount_at = 4 + 1 + 41 + 1
    with pytest.raises(BitcoinError, match="amount_sat"):
        Transaction.parse(raw[:amount_at] + b"\xff" * 8 + raw[amount_at + 8 :])


def test_a_transaction_larger_than_a_block_is_refused() -> None:
    with pytest.raises(EncodingError, match="at most 4000000"):
        Transaction.parse(bytes(4_000_001))


def test_fields_outside_their_width_are_refused_by_name() -> None:
    with pytest.raises(TransactionError, match="txid"):
        OutPoint(bytes(31), 0)
    with pytest.raises(TransactionError, match="vout"):
        OutPoint(bytes(32), 2**32)
    with pytest.raises(TransactionError, match="sequence"):
        TxIn(OUTPOINT, sequence=-1)
    with pytest.raises(TransactionError, match="amount_sat"):
        TxOut(-1, b"")
    with pytest.raises(TransactionError, match="version"):
        Transaction(2**32, (), ())
    with pytest.raises(TransactionError, match="lock_time"):
        Transaction(2, (), (), 2**32)


def test_an_outpoint_is_written_as_people_write_it_and_read_back() -> None:
    text = OUTPOINT.hex
    assert text == bytes(range(32))[::-1].hex() + ":7"
    assert OutPoint.of_text(text) == OUTPOINT
    assert identifier_of(display(PLAIN.txid)) == PLAIN.txid
    assert PLAIN.outpoint(0) == OutPoint(PLAIN.txid, 0)
    with pytest.raises(TransactionError, match="vout"):
        PLAIN.outpoint(1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "00:0",
        "zz" * 32 + ":0",
        "00" * 32,
        "00" * 32 + ":",
        "00" * 32 + ":-1",
        "00" * 32 + ":01",
        "00" * 32 + ":4294967296",
        "00" * 32 + ":²",
        "00 " * 32 + ":1",
        "00" * 32 + ":" + "1" * 5000,
    ],
)
def test_text_that_is_no_outpoint_is_refused(text: str) -> None:
    with pytest.raises(EncodingError):
        OutPoint.of_text(text)


def test_witnesses_are_given_for_every_input() -> None:
    with pytest.raises(TransactionError, match="1 stacks"):
        PLAIN.with_witnesses([])


def test_only_the_null_outpoint_makes_a_coinbase() -> None:
    coinbase = Transaction(1, (TxIn(OutPoint(NULL_TXID, 2**32 - 1)),), PLAIN.outputs)
    assert coinbase.is_coinbase
    assert not PLAIN.is_coinbase
    assert not OutPoint(NULL_TXID, 0).is_null
