"""Blocks and their headers, byte by byte."""

from dataclasses import replace

import pytest

from controller.chain.blocks import Block, BlockHeader, has_own_merkle_root, median_time_s
from controller.chain.embedded.miner import Place, assemble
from shared.bitcoin.errors import EncodingError
from shared.bitcoin.script import p2wsh
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.unit.controller.chain.ledger import ANYONE


def _block(transactions: int) -> Block:
    spent = [TxIn(OutPoint(bytes(31) + bytes((at + 1,)), 0), witness=(b"x",)) for at in range(9)]
    made = [Transaction(2, (one,), (TxOut(1_000, ANYONE),)) for one in spent[:transactions]]
    return assemble(Place(bytes(32), 7, 1_700_000_000), p2wsh(b"\x51"), made, 0, b"ab")


@pytest.mark.parametrize("transactions", range(6))
def test_a_block_is_read_as_it_was_written(transactions: int) -> None:
    block = _block(transactions)
    read = Block.parse(block.serialise())
    assert read == block
    assert read.block_hash == block.block_hash
    assert has_own_merkle_root(read)


@pytest.mark.parametrize("cut", [0, 40, 79, 80, 81, 150])
def test_a_block_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(EncodingError):
        Block.parse(_block(2).serialise()[:cut])


def test_bytes_after_a_block_are_refused() -> None:
    with pytest.raises(EncodingError):
        Block.parse(_block(1).serialise() + b"\x00")
    with pytest.raises(EncodingError, match="block header"):
        BlockHeader.parse(bytes(81))


def test_a_repeated_tail_with_the_same_root_is_not_the_blocks_own() -> None:
    block = _block(2)  # three: the last one is paired with itself
    repeated = replace(block, transactions=(*block.transactions, block.transactions[-1]))
    assert not has_own_merkle_root(repeated)
    assert not has_own_merkle_root(replace(block, transactions=()))
    assert not has_own_merkle_root(replace(block, transactions=block.transactions[::-1]))


def test_the_median_is_of_the_last_eleven() -> None:
    assert median_time_s([9]) == 9
    assert median_time_s([1, 5]) == 5
    assert median_time_s([1_000, *range(11)]) == 5
