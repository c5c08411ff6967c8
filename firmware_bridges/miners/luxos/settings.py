"""The table of a LuxOS miner in the agent's configuration."""

from pydantic import BaseModel, ConfigDict, Field

from firmware_bridges.miners.cgminer import PORT


class LuxosSettings(BaseModel):
    """Where a LuxOS miner is and what the agent may do with it.

    LuxOS refuses a profile while its Advanced Thermal Management (ATM), which moves between
    profiles by itself, is on. With `disable_atm` the driver turns ATM off before it sets a profile,
    and leaves it off; without, it refuses. `run_profile` is the profile that "run" sets besides
    waking the miner up; without it, a miner that was given a profile keeps it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(min_length=1, max_length=253)
    port: int = Field(default=PORT, ge=1, le=65535)
    disable_atm: bool = False
    run_profile: str | None = Field(default=None, min_length=1, max_length=80)
    deadline_s: float = Field(default=5.0, gt=0, le=60)
