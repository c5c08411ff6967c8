"""Registers to readings: pure, and total over every register content."""

import math
import struct
from collections.abc import Mapping, Sequence

from firmware_bridges.modbus.register_map import Point, PointType, RegisterMap
from firmware_bridges.readings import Identity, OutletReading, PhaseReading, PlantReading
from shared.measured import Measured, Reason, Unknown

Value = float | str
Values = Mapping[str, Measured[Value]]

_RANGES: dict[str, tuple[float, float]] = {
    "power_w": (-1e9, 1e9),
    "reactive_power_var": (-1e9, 1e9),
    "apparent_power_va": (0.0, 1e9),
    "power_factor": (-1.001, 1.001),
    "frequency_hz": (0.0, 500.0),
    "energy_import_wh": (0.0, 1e15),
    "energy_export_wh": (0.0, 1e15),
    "temperature_c": (-90.0, 300.0),
    "humidity_pct": (0.0, 100.0),
    "voltage_v": (0.0, 1e6),
    "current_a": (-1e5, 1e5),
}
"""What a quantity can be at all; a map narrows it where the device's own range is known."""

_SIGNED = {PointType.I16, PointType.I32, PointType.I64}
_SCALE_ABSENT = 0x8000
_SCALE_LIMIT = 10


def decode_points(
    points: Sequence[Point], registers: Sequence[int], register_map: RegisterMap
) -> dict[str, Measured[Value]]:
    """The values of a group from its registers (16 bits each), field by field."""
    return {point.field: _decode(point, registers, register_map) for point in points}


def _decode(point: Point, registers: Sequence[int], register_map: RegisterMap) -> Measured[Value]:
    words = registers[point.at : point.at + point.size]
    if len(words) < point.size:
        return Unknown(Reason.MALFORMED, f"{len(registers)} registers")
    if point.type is PointType.TEXT:
        return _text(words)
    ordered = words if register_map.word_order == "big" else words[::-1]
    data = b"".join(struct.pack(">H", word) for word in ordered)
    raw = _raw(point.type, data, register_map.absent)
    if isinstance(raw, Unknown):
        return raw
    scale = _scale(point, registers)
    if isinstance(scale, Unknown):
        return scale
    return _in_range(point, raw * scale)


def _raw(kind: PointType, data: bytes, absent: Mapping[PointType, int]) -> Measured[float]:
    unsigned = int.from_bytes(data, "big")
    if absent.get(kind) == unsigned:
        return Unknown(Reason.NOT_REPORTED, f"raw 0x{unsigned:x}: not implemented")
    if kind in {PointType.F32, PointType.PF_4Q}:
        number: float = struct.unpack(">f", data)[0]
        if math.isnan(number):
            return Unknown(Reason.NOT_REPORTED, "not a number")
        return _four_quadrant(number) if kind is PointType.PF_4Q else number
    return int.from_bytes(data, "big", signed=kind in _SIGNED)


def _four_quadrant(number: float) -> Measured[float]:
    """Schneider's 4Q_FP_PF, -2 to 2: beyond +-1 the current is capacitive, and 2 - x is left."""
    if not -2.0 <= number <= 2.0:
        return Unknown(Reason.OUT_OF_RANGE, f"{number:g}: outside -2 to 2")
    if abs(number) <= 1.0:
        return number
    return math.copysign(2.0 - abs(number), number)


def _scale(point: Point, registers: Sequence[int]) -> Measured[float]:
    if point.scale_at is None:
        return point.scale
    if point.scale_at >= len(registers):
        return Unknown(Reason.MALFORMED, "the scale factor is missing")
    raw = registers[point.scale_at]
    if raw == _SCALE_ABSENT:
        return Unknown(Reason.NOT_REPORTED, "the scale factor is not implemented")
    exponent = raw - 0x10000 if raw > 0x7FFF else raw
    if abs(exponent) > _SCALE_LIMIT:
        return Unknown(Reason.OUT_OF_RANGE, f"scale factor {exponent}")
    return float(point.scale * 10.0**exponent)


def _in_range(point: Point, value: float) -> Measured[float]:
    least, most = _RANGES.get(point.field.rpartition(".")[2], (-math.inf, math.inf))
    least = point.least if point.least is not None else least
    most = point.most if point.most is not None else most
    if not (math.isfinite(value) and least <= value <= most):
        return Unknown(Reason.OUT_OF_RANGE, f"{value:g}: outside {least:g} to {most:g}")
    return float(value)


def _text(words: Sequence[int]) -> Measured[str]:
    data = b"".join(struct.pack(">H", word) for word in words).split(b"\0")[0].strip()
    if not data:
        return Unknown(Reason.NOT_REPORTED, "empty")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return Unknown(Reason.MALFORMED, "not UTF-8")
    if not text.isprintable():
        return Unknown(Reason.MALFORMED, "unprintable characters")
    return text


def plant_reading(
    values: Values, fields: Sequence[str], outlets: Sequence[OutletReading] = ()
) -> PlantReading:
    """A snapshot from decoded values; `fields` are those that the map can fill.

    A field that the map does not have is NOT_REPORTED.
    """
    phases = sorted({name[:2] for name in fields if name[0] == "l" and name[2:3] == "."})
    return PlantReading(
        identity=Identity(
            model=_label(values, "identity.model"),
            firmware=_label(values, "identity.firmware"),
            serial=_label(values, "identity.serial"),
        ),
        power_w=number_of(values, "power_w"),
        reactive_power_var=number_of(values, "reactive_power_var"),
        apparent_power_va=number_of(values, "apparent_power_va"),
        power_factor=number_of(values, "power_factor"),
        frequency_hz=number_of(values, "frequency_hz"),
        energy_import_wh=number_of(values, "energy_import_wh"),
        energy_export_wh=number_of(values, "energy_export_wh"),
        temperature_c=number_of(values, "temperature_c"),
        humidity_pct=number_of(values, "humidity_pct"),
        phases=tuple(
            PhaseReading(
                name=phase,
                voltage_v=number_of(values, f"{phase}.voltage_v"),
                current_a=number_of(values, f"{phase}.current_a"),
                power_w=number_of(values, f"{phase}.power_w"),
            )
            for phase in phases
        ),
        outlets=tuple(outlets),
    )


def number_of(values: Values, field: str) -> Measured[float]:
    """A field's number; NOT_REPORTED where the map has no such field."""
    value = values.get(field, Unknown(Reason.NOT_REPORTED))
    if isinstance(value, str):
        return Unknown(Reason.MALFORMED, "text where a number belongs")
    return value


def _label(values: Values, field: str) -> Measured[str]:
    value = values.get(field, Unknown(Reason.NOT_REPORTED))
    return value if isinstance(value, str | Unknown) else f"{value:.0f}"
