"""What every driver offers. The page to read before writing one."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from firmware_bridges.capabilities import MinerCapabilities, PlantCapabilities
from firmware_bridges.readings import MinerReading, PlantReading
from shared.setpoints import Setpoint


class DeviceKind(StrEnum):
    """What a device is to a site."""

    MINER = "miner"
    METER = "meter"
    SWITCH = "switch"
    SENSOR = "sensor"


@runtime_checkable
class Miner(Protocol):
    """One miner. Methods raise `firmware_bridges.errors.DeviceError` and nothing else.

    Calls on one miner are made one at a time. Every method ends within the deadline of the
    driver's settings; a caller may also cancel it, after which the object stays usable.
    """

    async def capabilities(self) -> MinerCapabilities:
        """What this device takes, asked of the device where it can tell."""
        ...

    async def read(self) -> MinerReading:
        """One snapshot. Raises only when nothing at all could be read; what failed in part is
        unknown in the reading."""
        ...

    async def apply(self, setpoint: Setpoint) -> None:
        """Writes the setpoint and returns when the device took it. That it took effect is not
        promised: devices lie, so the caller reads back. `NotSupportedError` before anything is
        sent where the capabilities exclude it; `DeviceRefusedError` when the device says no."""
        ...

    async def reboot(self) -> None:
        """Restarts the device."""
        ...

    async def close(self) -> None:
        """Releases connections and sessions; never raises."""
        ...


@runtime_checkable
class PlantDevice(Protocol):
    """A meter, PDU, breaker or sensor; the same rules as for `Miner`."""

    async def capabilities(self) -> PlantCapabilities:
        """What this device offers."""
        ...

    async def read(self) -> PlantReading:
        """One snapshot, as for `Miner.read`."""
        ...

    async def switch(self, outlet: int, *, closed: bool) -> None:
        """Closes (energises) or opens an outlet; the caller reads back."""
        ...

    async def close(self) -> None:
        """Releases the connection; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Driver:
    """A device family: what its configuration looks like and how a device is opened.

    `settings` is the pydantic model of the device's table in the agent's configuration (frozen,
    extra keys forbidden; secrets as paths of files). `open` makes the device object without any
    I/O.
    """

    family: str
    kinds: frozenset[DeviceKind]
    settings: type[BaseModel]
    open: Callable[[Any], Miner | PlantDevice]
