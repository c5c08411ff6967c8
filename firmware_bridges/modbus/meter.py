"""A meter on Modbus TCP or RTU."""

import asyncio

from firmware_bridges.capabilities import PlantCapabilities
from firmware_bridges.errors import (
    DeviceTimeoutError,
    DeviceUnreachableError,
    NotSupportedError,
)
from firmware_bridges.modbus.decoding import plant_reading
from firmware_bridges.modbus.lines import take_seat
from firmware_bridges.modbus.reading import RegisterReader, Snapshot
from firmware_bridges.modbus.settings import MeterSettings
from firmware_bridges.readings import PlantReading


class ModbusMeter:
    """A `PlantDevice` that reads what its register map names."""

    def __init__(self, settings: MeterSettings) -> None:
        self._settings = settings
        self._map = settings.register_map
        self._reader = RegisterReader(self._map)
        self._seat = take_seat(settings)

    async def capabilities(self) -> PlantCapabilities:
        """The metrics of the map; nothing is asked of the device."""
        return PlantCapabilities(
            metrics=tuple(f for f in self._map.fields if not f.startswith("identity."))
        )

    async def read(self) -> PlantReading:
        """One snapshot in one turn on the line."""
        settings = self._settings
        try:
            async with self._seat.line.turn(settings.unit, settings.terms) as turn:
                snapshot = Snapshot(turn, self._map)
                await self._reader.read(snapshot)
                snapshot.raise_if_nothing_was_read()
        except (DeviceTimeoutError, DeviceUnreachableError):
            self._reader.forget()
            raise
        return plant_reading(snapshot.values, self._map.fields)

    async def switch(self, outlet: int, *, closed: bool) -> None:
        """A meter has no outlets: `NotSupportedError`."""
        raise NotSupportedError(f"a meter has no outlet {outlet} to {_verb(closed=closed)}")

    async def close(self) -> None:
        """Leaves the line; the last device closes it."""
        self._seat.leave()
        await asyncio.sleep(0)  # lets the transport close


def _verb(*, closed: bool) -> str:
    return "close" if closed else "open"
