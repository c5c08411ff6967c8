"""A switched PDU or breaker on coils, over Modbus TCP or RTU."""

import asyncio

from firmware_bridges.capabilities import PlantCapabilities
from firmware_bridges.errors import (
    DeviceError,
    DeviceTimeoutError,
    DeviceUnreachableError,
    NotSupportedError,
)
from firmware_bridges.modbus.decoding import number_of, plant_reading
from firmware_bridges.modbus.lines import take_seat
from firmware_bridges.modbus.reading import RegisterReader, Snapshot
from firmware_bridges.modbus.register_map import Outlets
from firmware_bridges.modbus.requests import Read, WriteCoil
from firmware_bridges.modbus.settings import SwitchSettings
from firmware_bridges.readings import OutletReading, PlantReading
from shared.measured import Measured


class ModbusSwitch:
    """A `PlantDevice` with outlets numbered from 1."""

    def __init__(self, settings: SwitchSettings) -> None:
        self._settings = settings
        self._map = settings.register_map
        if self._map.outlets is None:
            raise NotSupportedError(f"map {self._map.name!r} has no outlets")
        self._outlets: Outlets = self._map.outlets
        self._reader = RegisterReader(self._map)
        self._seat = take_seat(settings)

    async def capabilities(self) -> PlantCapabilities:
        """The outlets and metrics of the map; nothing is asked of the device."""
        return PlantCapabilities(
            outlets=tuple(range(1, self._outlets.count + 1)),
            readback=True,
            metrics=(
                *(f"outlet.{n}.closed" for n in range(1, self._outlets.count + 1)),
                *(f for f in self._map.fields if not f.startswith("identity.")),
            ),
        )

    async def read(self) -> PlantReading:
        """One snapshot in one turn on the line: states, then registers."""
        settings = self._settings
        try:
            async with self._seat.line.turn(settings.unit, settings.terms) as turn:
                snapshot = Snapshot(turn, self._map)
                states = await self._states(snapshot)
                await self._reader.read(snapshot)
                snapshot.raise_if_nothing_was_read()
        except (DeviceTimeoutError, DeviceUnreachableError):
            self._reader.forget()
            raise
        outlets = [
            OutletReading(
                index=index,
                closed=closed,
                power_w=number_of(snapshot.values, f"outlet.{index}.power_w"),
            )
            for index, closed in enumerate(states, start=1)
        ]
        return plant_reading(snapshot.values, self._map.fields, outlets)

    async def switch(self, outlet: int, *, closed: bool) -> None:
        """Writes the outlet's coil; returns when the device echoed the write.

        Goes before waiting readings, and is tried even when the device was silent lately.
        """
        if not 1 <= outlet <= self._outlets.count:
            raise NotSupportedError(f"no outlet {outlet}; it has 1 to {self._outlets.count}")
        settings = self._settings
        async with self._seat.line.turn(settings.unit, settings.terms, urgent=True) as turn:
            await turn.request(WriteCoil(self._outlets.coil + outlet - 1, closed))

    async def close(self) -> None:
        """Leaves the line; the last device closes it."""
        self._seat.leave()
        await asyncio.sleep(0)  # lets the transport close

    async def _states(self, snapshot: Snapshot) -> list[Measured[bool]]:
        wanted = self._outlets
        reply = await snapshot.request(Read(wanted.state_table, wanted.state, wanted.count))
        if isinstance(reply, DeviceError):
            return [reply.unknown()] * wanted.count
        return [bool(bit) for bit in reply]
