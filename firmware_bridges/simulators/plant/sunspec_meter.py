"""A SunSpec meter: marker, common model, a serial-interface model, meter model 201 to 204."""

import math
from collections.abc import Mapping

from firmware_bridges.simulators.misbehaviour import Script
from firmware_bridges.simulators.plant.load import ElectricalLoad, LoadSample
from firmware_bridges.simulators.plant.slave import SimulatedSlave
from firmware_bridges.simulators.plant.words import int_words, place, text_words

_NOT_IMPLEMENTED = 0x8000
_MOST_INT16 = 32_000
_COMMON_LENGTH = 66
_METER_LENGTH = 105
_PHASES = {201: 1, 202: 2, 203: 3, 204: 3}


class SunSpecMeter(SimulatedSlave):
    """Integers with scale factors that fit `rated_w`; the list begins at `base`."""

    def __init__(
        self,
        load: ElectricalLoad,
        script: Script | None = None,
        *,
        model: int = 203,
        base: int = 40_000,
        rated_w: float = 150_000.0,
    ) -> None:
        super().__init__(script)
        self._load = load
        self._model = model
        self._phases = _PHASES[model]
        self._base = base
        self._power_sf = math.ceil(math.log10(rated_w / _MOST_INT16))

    def holding_registers(self) -> Mapping[int, int]:
        """The whole list, to the end model."""
        table: dict[int, int] = {}
        place(table, self._base, text_words("SunS", 2))
        at = self._base + 2
        at = self._common(table, at)
        place(table, at, (17, 12, *[_NOT_IMPLEMENTED] * 12))
        at += 14
        meter = self._meter(self._load.sample())
        place(table, at, meter)
        place(table, at + len(meter), (0xFFFF, 0))
        return table

    def _common(self, table: dict[int, int], at: int) -> int:
        place(table, at, (1, _COMMON_LENGTH))
        place(table, at + 2, text_words("Simulated Instruments", 16))
        place(table, at + 18, text_words(f"SIM-{self._model}", 16))
        place(table, at + 34, text_words("", 8))
        place(table, at + 42, text_words("2.4.1", 8))
        place(table, at + 50, text_words("SN-000731", 16))
        place(table, at + 66, (1, 0x8000))
        return at + 2 + _COMMON_LENGTH

    def _meter(self, sample: LoadSample) -> list[int]:
        phases = self._phases
        current = sample.current_a(phases)
        power = [sample.power_w / phases] * phases
        words = [self._model, _METER_LENGTH, *_scaled([current * phases, *[current] * phases], -1)]
        words += _scaled(
            [sample.supply.voltage_v, *[sample.supply.voltage_v] * phases], -1, no_factor=True
        )
        words += [_NOT_IMPLEMENTED] * 4 + [*int_words(-1, 1)]  # line to line, V_SF
        words += [round(sample.supply.frequency_hz * 100), *int_words(-2, 1)]
        words += _scaled([sample.power_w, *power], self._power_sf)
        apparent = sample.apparent_power_va
        words += _scaled([apparent, *[apparent / phases] * phases], self._power_sf)
        reactive = sample.reactive_power_var
        words += _scaled([reactive, *[reactive / phases] * phases], self._power_sf)
        factor_pct = sample.supply.power_factor * 100
        words += _scaled([factor_pct, *[factor_pct] * phases], -1)
        words += [*int_words(round(sample.export_wh), 2), *[0] * 6]
        words += [*int_words(round(sample.import_wh), 2), *[0] * 6, 0]
        words += [0] * 16 + [_NOT_IMPLEMENTED]  # VAh and its factor
        words += [0] * 32 + [_NOT_IMPLEMENTED]  # varh by quadrant and its factor
        return [*words, 0, 0]  # events


def _scaled(values: list[float], factor: int, *, no_factor: bool = False) -> list[int]:
    """Total and up to three phases as int16, missing phases not implemented, then the factor."""
    words = [int_words(round(value / 10.0**factor), 1)[0] for value in values]
    words += [_NOT_IMPLEMENTED] * (4 - len(words))
    return words if no_factor else [*words, *int_words(factor, 1)]
