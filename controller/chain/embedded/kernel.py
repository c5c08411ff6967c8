"""Core's engine with its block tree and chainstate in memory: a thin adapter over pbk."""

import tempfile
from pathlib import Path

import pbk

from controller.chain.blocks import Block, BlockHeader, Coin
from controller.chain.errors import BlockNotFoundError, MiningError
from shared.bitcoin.transaction import TxOut, display


class Kernel:
    """The engine on regtest. What it writes of blocks goes to a temporary folder of its own."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="bes-kernel-")
        root = Path(self._folder.name)
        context = pbk.make_context(pbk.ChainType.REGTEST)
        options = pbk.ChainstateManagerOptions(context, str(root), str(root / "blocks"))
        options.update_block_tree_db_in_memory(block_tree_db_in_memory=True)
        options.update_chainstate_db_in_memory(chainstate_db_in_memory=True)
        options.set_worker_threads_num(0)
        self._manager = pbk.ChainstateManager(options)
        self._chain = self._manager.get_active_chain()

    def close(self) -> None:
        """Frees the engine and its folder; not to be used afterwards."""
        del self._chain
        del self._manager
        self._folder.cleanup()

    @property
    def height(self) -> int:
        """The best block's height."""
        return int(self._chain.height)

    def hash_at(self, height: int) -> bytes:
        """The id of the best chain's block at that height, 0 to `height`."""
        return bytes(self._chain.block_tree_entries[height].block_hash)

    def process(self, block: Block) -> None:
        """Hands it a block; `MiningError` where the engine refuses it at once.

        A block on a side branch is validated in full only once its branch becomes the best.
        """
        try:
            is_new = self._manager.process_block(pbk.Block(block.serialise()))
        except (pbk.ProcessBlockException, RuntimeError) as error:
            raise MiningError(f"block {block.hex}: {error}") from error
        if not is_new:
            raise MiningError(f"block {block.hex} was refused or is known already")

    def knows(self, block_hash: bytes) -> bool:
        """Whether it took a block with this id, on the best chain or not."""
        return pbk.BlockHash(block_hash) in self._manager.block_tree_entries

    def header(self, block_hash: bytes) -> tuple[int, BlockHeader]:
        """Height and header of any block it knows, else `BlockNotFoundError`."""
        entry = self._entry(block_hash)
        return int(entry.height), BlockHeader.parse(bytes(entry.block_header))

    def block(self, block_hash: bytes) -> tuple[int, Block]:
        """Height and block, on the best chain or not, else `BlockNotFoundError`."""
        entry = self._entry(block_hash)
        return int(entry.height), Block.parse(bytes(self._manager.blocks[entry]))

    def spent(self, block_hash: bytes) -> tuple[tuple[Coin, ...], ...] | None:
        """The coins that each transaction spent; None for a block that was never connected."""
        entry = self._entry(block_hash)
        if entry.height == 0:
            return ((),)
        try:
            undo = self._manager.block_spent_outputs[entry]
        except RuntimeError:
            return None
        return ((), *(tuple(map(_coin, one.coins)) for one in undo.transactions))

    def _entry(self, block_hash: bytes) -> "pbk.BlockTreeEntry":
        try:
            return self._manager.block_tree_entries[pbk.BlockHash(block_hash)]
        except KeyError:
            raise BlockNotFoundError(display(block_hash)) from None


def _coin(coin: "pbk.Coin") -> Coin:
    output = coin.output
    made = TxOut(int(output.amount), bytes(output.script_pubkey))
    return Coin(made, int(coin.confirmation_height), bool(coin.is_coinbase))
