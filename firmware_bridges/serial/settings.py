"""The configuration of a sensor on a serial port."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class SensorSettings(BaseModel):
    """The sensor's serial port; `deadline_s` bounds one reading."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    serial_port: str = Field(min_length=1, max_length=200)
    baudrate: int = Field(default=9_600, ge=300, le=1_000_000)
    parity: Literal["N", "E", "O"] = "N"
    stopbits: Literal[1, 2] = 1
    deadline_s: float = Field(default=2.0, gt=0, le=60)
