"""The electrical load that a simulated meter measures."""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Supply:
    """What is fixed about the load's supply: volts to neutral, hertz, power factor."""

    voltage_v: float = 240.0
    frequency_hz: float = 60.0
    power_factor: float = 0.98


@dataclass(frozen=True, slots=True)
class LoadSample:
    """The load at one moment; the three phases carry it evenly."""

    supply: Supply
    power_w: float
    import_wh: float
    export_wh: float

    @property
    def apparent_power_va(self) -> float:
        """Volt-amperes of all phases."""
        return abs(self.power_w) / self.supply.power_factor

    @property
    def reactive_power_var(self) -> float:
        """Inductive volt-amperes of all phases."""
        return self.apparent_power_va * math.sqrt(1.0 - self.supply.power_factor**2)

    def current_a(self, phases: int) -> float:
        """Amperes of each of so many phases."""
        return self.apparent_power_va / phases / self.supply.voltage_v


class ElectricalLoad:
    """Watts from a callable; energy by the trapezoid between samples.

    `clock` gives seconds of any origin; each of them counts `rate` seconds of energy. Negative
    watts are fed into the grid.
    """

    def __init__(
        self,
        power_w: Callable[[], float],
        clock: Callable[[], float],
        rate: float = 1.0,
        *,
        supply: Supply | None = None,
        import_wh: float = 0.0,
    ) -> None:
        self._power_w = power_w
        self._clock = clock
        self._rate = rate
        self._supply = supply or Supply()
        self._import_wh = import_wh
        self._export_wh = 0.0
        self._last_s = clock()
        self._last_w = power_w()

    def sample(self) -> LoadSample:
        """The load now; counts the energy since the last sample."""
        now_s, now_w = self._clock(), self._power_w()
        hours = (now_s - self._last_s) * self._rate / 3_600.0
        energy_wh = (self._last_w + now_w) / 2.0 * hours
        if energy_wh >= 0:
            self._import_wh += energy_wh
        else:
            self._export_wh -= energy_wh
        self._last_s, self._last_w = now_s, now_w
        return LoadSample(self._supply, now_w, self._import_wh, self._export_wh)
