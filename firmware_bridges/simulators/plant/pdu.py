"""A switched PDU (or a breaker with an auxiliary contact) on coils, with metered outlets."""

from collections.abc import Callable, Mapping

from firmware_bridges.simulators.misbehaviour import Script
from firmware_bridges.simulators.plant.slave import SimulatedSlave
from firmware_bridges.simulators.plant.words import int_words, place

POWER_REGISTERS = 0x0100
_MOST_OUTLET_W = 0xFFFE


class SimulatedPdu(SimulatedSlave):
    """Outlet n is coil n - 1; discrete inputs show the contacts; watts from 0x0100, then their sum.

    `closed` holds the outlets' states; a load is asked only while its outlet is closed.
    """

    def __init__(
        self,
        outlets: int,
        outlet_power_w: Callable[[int], float],
        on_switch: Callable[[int, bool], None],
        script: Script | None = None,
    ) -> None:
        super().__init__(script)
        self._outlet_power_w = outlet_power_w
        self._on_switch = on_switch
        self.closed = dict.fromkeys(range(1, outlets + 1), True)

    def power_w(self, outlet: int) -> float:
        """Watts through an outlet."""
        return self._outlet_power_w(outlet) if self.closed[outlet] else 0.0

    def coils(self) -> Mapping[int, bool]:
        """The commanded states."""
        return {outlet - 1: closed for outlet, closed in self.closed.items()}

    def discrete_inputs(self) -> Mapping[int, bool]:
        """The contacts."""
        return self.coils()

    def input_registers(self) -> Mapping[int, int]:
        """Watts of each outlet, then of all."""
        watts = [min(round(self.power_w(n)), _MOST_OUTLET_W) for n in self.closed]
        table: dict[int, int] = {}
        place(table, POWER_REGISTERS, (*watts, *int_words(sum(watts), 2)))
        return table

    def write_coil(self, address: int, *, closed: bool) -> None:
        """Switches the outlet and tells its load."""
        outlet = address + 1
        if self.closed[outlet] != closed:
            self.closed[outlet] = closed
            self._on_switch(outlet, closed)
