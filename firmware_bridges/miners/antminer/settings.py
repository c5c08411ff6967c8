"""The table of an Antminer in the agent's configuration."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from firmware_bridges.miners.cgminer import PORT


class AntminerSettings(BaseModel):
    """Where an Antminer is and what the agent may do with it.

    Without `password_file` (the password of `username`, nothing else in the file) the miner is read
    only. `low_power` says that this model has Bitmain's low power mode; the API does not tell.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(min_length=1, max_length=253)
    api_port: int = Field(default=PORT, ge=1, le=65535)
    http_port: int = Field(default=80, ge=1, le=65535)
    username: str = Field(default="root", min_length=1, max_length=64)
    password_file: Path | None = None
    low_power: bool = False
    deadline_s: float = Field(default=5.0, gt=0, le=60)
