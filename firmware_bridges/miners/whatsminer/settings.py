"""What a Whatsminer's table in the agent's configuration takes."""

from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field

from firmware_bridges.capabilities import MinerCapabilities, OperatingPoint
from firmware_bridges.miners.power_range import PowerRangeSettings

PRESETS = ("low", "normal", "high")


class Api(StrEnum):
    """The API to speak; "auto" asks the miner."""

    AUTO = "auto"
    V1 = "v1"
    V2 = "v2"
    V3 = "v3"


class WhatsminerSettings(PowerRangeSettings):
    """`password_file` holds the admin password (v1, v2) or the account's (v3); without it the miner
    is only read. The miner does not tell which power limits it takes, so that it takes none unless
    `least_power_w` and `most_power_w` say so. `settle_s` is how long it tunes after a write.
    `run_preset` is the power mode that "run" sets besides powering on; without it, a miner that was
    given a mode keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(min_length=1, max_length=253)
    port: int = Field(default=4028, ge=1, le=65_535)
    v3_port: int = Field(default=4433, ge=1, le=65_535)
    api: Api = Api.AUTO
    account: str = Field(default="super", pattern=r"^[a-z0-9]{1,20}$")
    password_file: Path | None = None
    deadline_s: float = Field(default=5.0, gt=0, le=60)
    settle_s: float = Field(default=300.0, ge=0, le=3_600)
    run_preset: Literal["low", "normal", "high"] | None = None

    def capabilities(self, *, limits_power: bool) -> MinerCapabilities:
        """What the miner takes, given whether its API takes a power limit in watts."""
        if self.password_file is None:
            return MinerCapabilities()
        return MinerCapabilities(
            stop=True,
            run=True,
            reboot=True,
            power_limit=self.configured_range if limits_power else None,
            presets=tuple(OperatingPoint(name) for name in PRESETS),
            readback=frozenset({"mining", "power_limit_w", "preset", "power_w", "hashrate_ths"}),
            settle_s=self.settle_s,
        )
