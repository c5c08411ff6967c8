"""Wallets as a listener of the chain's follower: in the transaction that commits a block."""

from sqlalchemy import Connection, select

from controller.chain.follower.listeners import BlockDisconnected, BlockSeen
from controller.chain.follower.watches import watch
from controller.clock import Clock
from controller.storage.tables import chain_blocks, wallet_scripts
from controller.wallets.following import ConnectedBlock, Following


class WalletListener:
    """See `controller.chain.follower.listeners.BlockListener`.

    A wallet that is born below the follower's tip is brought there by the follower's `replay` with
    this listener, from its birth height on.
    """

    def __init__(self, following: Following, clock: Clock) -> None:
        self._following = following
        self._clock = clock

    def connected(self, conn: Connection, seen: BlockSeen) -> None:
        """Takes in a block, and watches the scripts that come after those used in it.

        A block that is told for the first time goes on from the follower's last one, so wallets
        that are elsewhere are so because blocks were cut off behind a halt.
        """
        height = seen.ref.height
        if not seen.is_rescan:
            self._following.adopt(conn, height - 1, seen.previous_hash)
        block = ConnectedBlock(
            height=height,
            block_hash=seen.ref.block_hash,
            previous_hash=seen.previous_hash,
            time_ms=seen.time_s * 1_000,
            transactions=seen.transactions,
        )
        watch(conn, self._following.connect(conn, block, now_ms=self._clock.now_ms()))

    def disconnected(self, conn: Connection, gone: BlockDisconnected) -> None:
        """Takes a block back."""
        before = conn.scalar(
            select(chain_blocks.c.block_hash).where(chain_blocks.c.height == gone.ref.height - 1)
        )
        self._following.disconnect(
            conn, gone.ref.height, gone.ref.block_hash, before, now_ms=self._clock.now_ms()
        )

    def watch_wallet(self, conn: Connection, wallet_id: int) -> None:
        """Watches the scripts of a new wallet, in the transaction that made it."""
        scripts = select(wallet_scripts.c.script_pubkey).where(
            wallet_scripts.c.wallet_id == wallet_id
        )
        watch(conn, list(conn.scalars(scripts)))
