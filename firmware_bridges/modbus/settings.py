"""The configuration of a Modbus device."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from firmware_bridges.modbus.line import Terms
from firmware_bridges.modbus.register_map import RegisterMap, load_map, shipped_maps
from firmware_bridges.modbus.rtu_link import SerialParameters

_LAST_RTU_UNIT = 247


class ModbusSettings(BaseModel):
    """Where a device is and which register map it has.

    Either `host` (and `port`) for Modbus TCP, or `serial_port` (and `baudrate`, `parity`,
    `stopbits`) for RTU. Devices with the same host and port, or the same serial port, share one
    line. `deadline_s` bounds the device's time on the line in one reading or write, all its
    requests together; `queue_wait_s` bounds the wait for the line before that.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str]

    map: str = Field(description="name of a shipped register map, or the path of one's own")
    unit: int = Field(ge=0, le=255)
    host: str | None = Field(default=None, min_length=1, max_length=253)
    port: int = Field(default=502, ge=1, le=65_535)
    serial_port: str | None = Field(default=None, min_length=1, max_length=200)
    baudrate: int = Field(default=9_600, ge=300, le=1_000_000)
    parity: Literal["N", "E", "O"] = "N"
    stopbits: Literal[1, 2] = 1
    deadline_s: float = Field(default=2.0, gt=0, le=60)
    queue_wait_s: float = Field(default=30.0, gt=0, le=600)

    @field_validator("map")
    @classmethod
    def _map_of_its_kind(cls, name: str) -> str:
        if load_map(name).kind != cls.kind:
            maps = [known for known in shipped_maps() if load_map(known).kind == cls.kind]
            raise ValueError(f"{name!r} is no map of a {cls.kind}; allowed: {', '.join(maps)}")
        return name

    @model_validator(mode="after")
    def _one_way_to_reach_it(self) -> "ModbusSettings":
        if (self.host is None) == (self.serial_port is None):
            raise ValueError("give either host (Modbus TCP) or serial_port (Modbus RTU)")
        if self.serial_port is not None and not 1 <= self.unit <= _LAST_RTU_UNIT:
            raise ValueError(f"unit on a serial line: 1 to {_LAST_RTU_UNIT}")
        return self

    @property
    def terms(self) -> Terms:
        """The bounds in time."""
        return Terms(self.deadline_s, self.queue_wait_s)

    @property
    def register_map(self) -> RegisterMap:
        """The map by its name; `BadInputError` when there is none."""
        return load_map(self.map)

    @property
    def serial_parameters(self) -> SerialParameters | None:
        """The serial port, for RTU."""
        if self.serial_port is None:
            return None
        return SerialParameters(self.serial_port, self.baudrate, self.parity, self.stopbits)


class MeterSettings(ModbusSettings):
    """A meter; `map` must be a meter's."""

    kind: ClassVar[str] = "meter"


class SwitchSettings(ModbusSettings):
    """A switched PDU or a breaker; `map` must be a switch's."""

    kind: ClassVar[str] = "switch"
