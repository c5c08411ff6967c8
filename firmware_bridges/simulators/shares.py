"""Accepted shares of a simulated miner: they come with its hashrate, and not without."""

from firmware_bridges.simulators.physics import SimulatedMiner

SHARE_DIFFICULTY = 65_536
_HASHES_PER_SHARE = SHARE_DIFFICULTY * 2**32


class ShareCounter:
    """Counts up `miner.accepted_shares` by its uptime and present hashrate."""

    def __init__(self, miner: SimulatedMiner) -> None:
        self._miner = miner
        self._counted_to_s = miner.uptime_s

    def accepted(self) -> int:
        """The shares until now, since the miner started."""
        miner = self._miner
        uptime_s = miner.uptime_s
        if uptime_s < self._counted_to_s:
            miner.accepted_shares = 0.0
            self._counted_to_s = 0
        hashes = miner.point().hashrate_ths * 1e12 * (uptime_s - self._counted_to_s)
        miner.accepted_shares += hashes / _HASHES_PER_SHARE
        self._counted_to_s = uptime_s
        return int(miner.accepted_shares)
