"""Meters with registers at fixed addresses. Written from the vendors' lists, not from our maps."""

from collections.abc import Mapping

from firmware_bridges.simulators.misbehaviour import Script
from firmware_bridges.simulators.plant.load import ElectricalLoad
from firmware_bridges.simulators.plant.slave import SimulatedSlave
from firmware_bridges.simulators.plant.words import float_words, int_words, place, text_words

_PHASES = 3
_NAN = (0xFFC0, 0x0000)


class Sdm630(SimulatedSlave):
    """Eastron SDM630: floats in input registers (SDM630-Modbus V2, Protocol Implementation)."""

    def __init__(
        self, load: ElectricalLoad, script: Script | None = None, *, serial: int = 21_070_042
    ) -> None:
        super().__init__(script)
        self._load = load
        self._serial = serial

    def input_registers(self) -> Mapping[int, int]:
        """Registers 30001 to 30080; unlisted ones between them read as zero."""
        table = dict.fromkeys(range(0x50), 0)
        sample = self._load.sample()
        per_phase = 1 / _PHASES
        for phase in range(_PHASES):
            place(table, 0x00 + 2 * phase, float_words(sample.supply.voltage_v))
            place(table, 0x06 + 2 * phase, float_words(sample.current_a(_PHASES)))
            place(table, 0x0C + 2 * phase, float_words(sample.power_w * per_phase))
            place(table, 0x12 + 2 * phase, float_words(sample.apparent_power_va * per_phase))
            place(table, 0x18 + 2 * phase, float_words(sample.reactive_power_var * per_phase))
            place(table, 0x1E + 2 * phase, float_words(sample.supply.power_factor))
        place(table, 0x2A, float_words(sample.supply.voltage_v))
        place(table, 0x2E, float_words(sample.current_a(_PHASES)))
        place(table, 0x30, float_words(sample.current_a(_PHASES) * _PHASES))
        place(table, 0x34, float_words(sample.power_w))
        place(table, 0x38, float_words(sample.apparent_power_va))
        place(table, 0x3C, float_words(sample.reactive_power_var))
        place(table, 0x3E, float_words(sample.supply.power_factor))
        place(table, 0x46, float_words(sample.supply.frequency_hz))
        place(table, 0x48, float_words(sample.import_wh / 1_000))
        place(table, 0x4A, float_words(sample.export_wh / 1_000))
        return table

    def holding_registers(self) -> Mapping[int, int]:
        """The serial number at 464513."""
        table: dict[int, int] = {}
        place(table, 0xFC00, int_words(self._serial, 2))
        return table


class Pm5000(SimulatedSlave):
    """Schneider PM5560: floats in kilo-units, energy as INT64 (PM5xxx PMC Register List)."""

    def __init__(
        self, load: ElectricalLoad, script: Script | None = None, *, serial: int = 1_801_234_567
    ) -> None:
        super().__init__(script)
        self._load = load
        self._serial = serial

    def holding_registers(self) -> Mapping[int, int]:
        """Register n of the list is at address n - 1; reserved floats read as not-a-number."""
        table: dict[int, int] = {}
        place(table, 30 - 1, text_words("Container feed", 20))
        place(table, 50 - 1, text_words("PM5560", 20))
        place(table, 70 - 1, text_words("Schneider Electric", 20))
        place(table, 130 - 1, int_words(self._serial, 2))
        place(table, 132 - 1, int_words(0, 4))
        for register in range(3000, 3120, 2):
            place(table, register - 1, _NAN)
        sample = self._load.sample()
        per_phase = 1 / _PHASES
        power_kw = sample.power_w / 1_000
        for phase in range(_PHASES):
            at = 2 * phase
            place(table, 3000 + at - 1, float_words(sample.current_a(_PHASES)))
            place(table, 3020 + at - 1, float_words(sample.supply.voltage_v * 3**0.5))
            place(table, 3028 + at - 1, float_words(sample.supply.voltage_v))
            place(table, 3054 + at - 1, float_words(power_kw * per_phase))
        place(table, 3060 - 1, float_words(power_kw))
        place(table, 3068 - 1, float_words(sample.reactive_power_var / 1_000))
        place(table, 3076 - 1, float_words(sample.apparent_power_va / 1_000))
        place(table, 3084 - 1, float_words(sample.supply.power_factor))
        place(table, 3110 - 1, float_words(sample.supply.frequency_hz))
        place(table, 3204 - 1, int_words(round(sample.import_wh), 4))
        place(table, 3208 - 1, int_words(round(sample.export_wh), 4))
        return table
