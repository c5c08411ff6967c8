"""What a Braiins OS miner's table in the agent's configuration takes."""

from enum import StrEnum
from pathlib import Path

from pydantic import ConfigDict, Field

from firmware_bridges.capabilities import MinerCapabilities, PowerRange
from firmware_bridges.miners.power_range import PowerRangeSettings


class Api(StrEnum):
    """The API to speak; "auto" asks the miner."""

    AUTO = "auto"
    REST = "rest"
    GRAPHQL = "graphql"


class BraiinsSettings(PowerRangeSettings):
    """`password_file` holds the password of `username`; its first line may be empty, as Braiins OS
    is installed. Without the file the miner is only read, as far as it answers without a login.

    Over REST the miner tells its power limits; `least_power_w` and `most_power_w` narrow them. Over
    GraphQL it does not, so that it takes none without both. `settle_s` is how long it tunes after
    a write. `run_power_w` is the power target that "run" sets besides resuming; without it, a miner
    that was given a target keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(min_length=1, max_length=253)
    port: int = Field(default=80, ge=1, le=65_535)
    api: Api = Api.AUTO
    username: str = Field(default="root", min_length=1, max_length=64)
    password_file: Path | None = None
    deadline_s: float = Field(default=5.0, gt=0, le=60)
    settle_s: float = Field(default=300.0, ge=0, le=3_600)
    run_power_w: int | None = Field(default=None, ge=1, le=99_999)

    def capabilities(self, told: PowerRange | None) -> MinerCapabilities:
        """What the miner takes, given the power range it told."""
        if self.password_file is None:
            return MinerCapabilities()
        return MinerCapabilities(
            stop=True,
            run=True,
            reboot=True,
            power_limit=self._narrowed(told),
            readback=frozenset({"mining", "power_limit_w", "power_w", "hashrate_ths"}),
            settle_s=self.settle_s,
        )

    def _narrowed(self, told: PowerRange | None) -> PowerRange | None:
        configured = self.configured_range
        if configured is None or told is None:
            return configured or told
        least = max(told.least_w, configured.least_w)
        most = min(told.most_w, configured.most_w)
        return PowerRange(least, most, told.step_w) if least <= most else None
