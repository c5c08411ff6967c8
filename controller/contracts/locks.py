"""The lock time of a draft: the path's own, and none that helps fee sniping.

As Bitcoin Core's wallet, a draft is locked to the tip, so that a miner who mines the last block
again gains nothing by taking it; one in ten is locked further back, as if it had waited for
signatures. The draw comes from the intent's unique number, so that it replays.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from controller.contracts.context import Tip
from controller.contracts.paths import ContractPath

_ONE_IN: Final = 10
_FURTHEST_BACK: Final = 100


@dataclass(frozen=True, slots=True)
class LockDraw:
    """How many blocks below the tip the lock time lies."""

    blocks_back: int

    @classmethod
    def of(cls, seed: bytes) -> "LockDraw":
        """Nine times in ten 0, else from 0 to 99."""
        drawn = hashlib.sha256(b"lock time" + seed).digest()
        if int.from_bytes(drawn[:8], "big") % _ONE_IN:
            return cls(0)
        return cls(int.from_bytes(drawn[8:16], "big") % _FURTHEST_BACK)


def lock_time_of(path: ContractPath, tip: Tip, draw: LockDraw) -> int:
    """The lock time: the path's own height at least, and never above the tip's."""
    return max(path.after, tip.height - draw.blocks_back, 0)
