"""The best chain's headers and unspent coins, which the engine does not show."""

from collections.abc import Sequence

from controller.chain.blocks import (
    MEDIAN_TIME_SPAN,
    Block,
    BlockHeader,
    Coin,
    median_time_s,
)
from shared.bitcoin.opcodes import Op
from shared.bitcoin.script import MAX_SCRIPT_BYTES
from shared.bitcoin.transaction import OutPoint, TxOut


class ChainIndex:
    """A `controller.chain.mempool.policy.ChainView`; follows what the engine connects."""

    def __init__(self, genesis: BlockHeader) -> None:
        self._headers = [genesis]
        self._hashes = [genesis.block_hash]
        self._heights = {self._hashes[0]: 0}
        self._coins: dict[OutPoint, Coin] = {}

    @property
    def tip_height(self) -> int:
        """The best block's height."""
        return len(self._headers) - 1

    @property
    def tip_hash(self) -> bytes:
        """The best block's id."""
        return self._hashes[-1]

    def hash_at(self, height: int) -> bytes:
        """The id at that height, 0 to the tip's."""
        return self._hashes[height]

    def header_at(self, height: int) -> BlockHeader:
        """The header at that height, 0 to the tip's."""
        return self._headers[height]

    def height_of(self, block_hash: bytes) -> int | None:
        """The height on the best chain, None if it is not on it."""
        return self._heights.get(block_hash)

    def coin(self, outpoint: OutPoint) -> Coin | None:
        """The unspent output, None if there is none."""
        return self._coins.get(outpoint)

    def median_time_s(self, height: int) -> int:
        """The median time past of the block at that height."""
        first = max(0, height - MEDIAN_TIME_SPAN + 1)
        return median_time_s([one.time_s for one in self._headers[first : height + 1]])

    def connect(self, block: Block) -> None:
        """Puts a block on the tip."""
        height = len(self._headers)
        for transaction in block.transactions:
            is_coinbase = transaction.is_coinbase
            if not is_coinbase:
                for one in transaction.inputs:
                    del self._coins[one.outpoint]
            for vout, output in enumerate(transaction.outputs):
                if not _is_unspendable(output):
                    outpoint = OutPoint(transaction.txid, vout)
                    self._coins[outpoint] = Coin(output, height, is_coinbase)
        block_hash = block.block_hash
        self._headers.append(block.header)
        self._hashes.append(block_hash)
        self._heights[block_hash] = height

    def disconnect(self, block: Block, spent: Sequence[Sequence[Coin]]) -> None:
        """Takes the tip off; `spent` gives back what its transactions spent."""
        for transaction, coins in zip(reversed(block.transactions), reversed(spent), strict=True):
            for vout, _ in enumerate(transaction.outputs):
                self._coins.pop(OutPoint(transaction.txid, vout), None)
            if not transaction.is_coinbase:
                for one, coin in zip(transaction.inputs, coins, strict=True):
                    self._coins[one.outpoint] = coin
        self._headers.pop()
        del self._heights[self._hashes.pop()]


def _is_unspendable(output: TxOut) -> bool:
    """Core keeps no such output (`CScript::IsUnspendable`)."""
    script_pubkey = output.script_pubkey
    return script_pubkey[:1] == bytes((Op.RETURN,)) or len(script_pubkey) > MAX_SCRIPT_BYTES
