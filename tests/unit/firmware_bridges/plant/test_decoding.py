"""Registers to values."""

import struct
from typing import Any

import pytest

from firmware_bridges.modbus.decoding import decode_points, number_of, plant_reading
from firmware_bridges.modbus.register_map import Point, RegisterMap
from shared.measured import Measured, Reason, Unknown


def decode(registers: list[int], point: dict[str, Any], **changes: Any) -> Measured[float | str]:
    one = Point.model_validate({"field": "power_w", "at": 0} | point)
    register_map = RegisterMap.model_validate(
        {
            "name": "mine",
            "title": "Mine",
            "source": "My vendor's manual",
            "kind": "meter",
            "groups": [
                {
                    "name": "all",
                    "table": "input",
                    "address": 0,
                    "count": 40,
                    "points": [one.model_dump()],
                }
            ],
        }
        | changes
    )
    return decode_points([one], registers, register_map)[one.field]


def f32(value: float) -> list[int]:
    return list(struct.unpack(">HH", struct.pack(">f", value)))


def reason(value: Measured[float | str]) -> Reason:
    assert isinstance(value, Unknown)
    return value.reason


@pytest.mark.parametrize(
    ("registers", "type_name", "expected"),
    [
        ([0x4366, 0x3334], "f32", pytest.approx(230.2, abs=1e-4)),
        ([0xFFFE], "i16", -2.0),
        ([0xFFFE], "u16", 65_534.0),
        ([0x0001, 0x0000], "u32", 65_536.0),
        ([0xFFFF, 0xFFFF], "i32", -1.0),
        ([0, 0, 0x0001, 0x0002], "i64", 65_538.0),
        ([0, 1, 0, 0], "u64", float(2**32)),
        ([0, 7], "acc32", 7.0),
    ],
)
def test_each_type_is_read_as_its_vendors_lay_it_out(
    registers: list[int], type_name: str, expected: Any
) -> None:
    field = "energy_import_wh" if type_name == "u64" else "power_w"
    assert decode(registers, {"type": type_name, "field": field}) == expected


def test_the_low_word_may_come_first() -> None:
    registers = [0x3334, 0x4366]
    assert decode(registers, {"type": "f32"}, word_order="little") == pytest.approx(230.2, abs=1e-4)


def test_a_value_is_scaled() -> None:
    assert decode(f32(12.5), {"type": "f32", "scale": 1000.0}) == 12_500.0


@pytest.mark.parametrize(("factor", "expected"), [(0xFFFF, 123.4), (0x0002, 123_400.0), (0, 1234)])
def test_a_scale_factor_register_is_a_power_of_ten(factor: int, expected: float) -> None:
    assert decode([1234, factor], {"type": "i16", "scale_at": 1}) == pytest.approx(expected)


def test_a_scale_factor_that_is_not_implemented_leaves_the_value_unknown() -> None:
    assert reason(decode([1234, 0x8000], {"type": "i16", "scale_at": 1})) is Reason.NOT_REPORTED


def test_a_scale_factor_beyond_reason_leaves_the_value_unknown() -> None:
    assert reason(decode([1234, 200], {"type": "i16", "scale_at": 1})) is Reason.OUT_OF_RANGE


def test_not_a_number_is_unknown_and_never_zero() -> None:
    assert reason(decode([0xFFC0, 0], {"type": "f32"})) is Reason.NOT_REPORTED
    assert reason(decode([0x7FC0, 1], {"type": "pf_4q"})) is Reason.NOT_REPORTED


def test_infinity_is_out_of_range() -> None:
    assert reason(decode([0x7F80, 0], {"type": "f32"})) is Reason.OUT_OF_RANGE


def test_the_value_for_not_implemented_is_unknown_and_its_neighbour_is_not() -> None:
    absent = {"i16": 0x8000}
    assert reason(decode([0x8000], {"type": "i16"}, absent=absent)) is Reason.NOT_REPORTED
    assert decode([0x8001], {"type": "i16"}, absent=absent) == -32_767.0
    assert decode([0x8000], {"type": "i16"}) == -32_768.0


def test_a_zero_that_was_sent_is_zero() -> None:
    assert decode([0, 0], {"type": "f32"}) == 0.0


@pytest.mark.parametrize(
    ("raw", "factor"), [(0.9, 0.9), (-0.9, -0.9), (1.1, 0.9), (-1.1, -0.9), (1.0, 1.0), (2.0, 0.0)]
)
def test_schneider_s_four_quadrant_power_factor_is_folded(raw: float, factor: float) -> None:
    value = decode(f32(raw), {"type": "pf_4q", "field": "power_factor"})
    assert value == pytest.approx(factor, abs=1e-6)


def test_a_power_factor_beyond_two_is_out_of_range() -> None:
    value = decode(f32(2.5), {"type": "pf_4q", "field": "power_factor"})
    assert reason(value) is Reason.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("field", "value"),
    [("l1.voltage_v", -1.0), ("frequency_hz", 1e9), ("power_factor", 3.0), ("humidity_pct", 101.0)],
)
def test_what_a_quantity_cannot_be_is_out_of_range(field: str, value: float) -> None:
    assert reason(decode(f32(value), {"type": "f32", "field": field})) is Reason.OUT_OF_RANGE


def test_a_map_may_narrow_the_range() -> None:
    point = {"type": "f32", "least": 0.0, "most": 100.0}
    assert decode(f32(100.0), point) == 100.0
    assert reason(decode(f32(100.5), point)) is Reason.OUT_OF_RANGE


def test_too_few_registers_are_malformed() -> None:
    assert reason(decode([1], {"type": "f32"})) is Reason.MALFORMED
    assert reason(decode([1], {"type": "i16", "scale_at": 1})) is Reason.MALFORMED


@pytest.mark.parametrize(
    ("registers", "expected"),
    [([0x504D, 0x3535, 0x3630, 0], "PM5560"), ([0x5364, 0x6D20, 0x2020, 0x2020], "Sdm")],
)
def test_text_ends_at_nul_or_spaces(registers: list[int], expected: str) -> None:
    point = {"field": "identity.model", "type": "text", "words": 4}
    assert decode(registers, point) == expected


@pytest.mark.parametrize(
    ("registers", "expected"),
    [
        ([0, 0], Reason.NOT_REPORTED),
        ([0xFFFF, 0xFFFF], Reason.MALFORMED),
        ([0x4101, 0x4100], Reason.MALFORMED),
    ],
)
def test_text_that_is_none_is_unknown(registers: list[int], expected: Reason) -> None:
    point = {"field": "identity.model", "type": "text", "words": 2}
    assert reason(decode(registers, point)) is expected


def test_a_field_that_no_map_fills_is_not_reported() -> None:
    reading = plant_reading({"power_w": 5.0}, ["power_w"])
    assert reading.power_w == 5.0
    assert reading.frequency_hz == Unknown(Reason.NOT_REPORTED)
    assert reading.phases == ()


def test_phases_appear_as_the_map_has_them() -> None:
    values: dict[str, Measured[float | str]] = {"l1.power_w": 1.0, "l2.power_w": 2.0}
    reading = plant_reading(values, list(values))
    assert [(phase.name, phase.power_w) for phase in reading.phases] == [("l1", 1.0), ("l2", 2.0)]


def test_text_in_a_number_s_place_is_malformed() -> None:
    assert reason(number_of({"power_w": "12"}, "power_w")) is Reason.MALFORMED


def test_a_serial_number_is_shown_without_decimals() -> None:
    assert plant_reading({"identity.serial": 21_070_042.0}, []).identity.serial == "21070042"
