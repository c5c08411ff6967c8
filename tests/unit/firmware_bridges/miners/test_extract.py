"""Fields out of replies: in range, or unknown for the right reason."""

import math
from typing import Any

import pytest

from firmware_bridges.errors import DeviceTimeoutError, MalformedReplyError
from firmware_bridges.miners.extract import (
    flag,
    integer,
    items,
    number,
    one_of,
    raw,
    text,
)
from firmware_bridges.miners.preference import first_known
from shared.measured import Reason, Unknown


def reason(value: object) -> Reason | None:
    return value.reason if isinstance(value, Unknown) else None


def test_a_path_goes_through_lists_and_objects() -> None:
    assert number({"SUMMARY": [{"GHS 5s": 3.5}]}, "SUMMARY", 0, "GHS 5s") == 3.5


def test_numbers_in_texts_count_as_devices_send_them() -> None:
    assert number({"chain_rate1": " 37603.30 "}, "chain_rate1", scale=1e-3) == pytest.approx(
        37.6033
    )


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, Reason.NOT_REPORTED),
        ("", Reason.NOT_REPORTED),
        ("  ", Reason.NOT_REPORTED),
        (math.nan, Reason.MALFORMED),
        ("nan", Reason.MALFORMED),
        ("N/A", Reason.MALFORMED),
        ("1_000", Reason.MALFORMED),
        (True, Reason.MALFORMED),
        (False, Reason.MALFORMED),
        ([], Reason.MALFORMED),
        ({"a": 1}, Reason.MALFORMED),
        (math.inf, Reason.OUT_OF_RANGE),
        ("-inf", Reason.OUT_OF_RANGE),
        (10**400, Reason.OUT_OF_RANGE),
        (-1, Reason.OUT_OF_RANGE),
        (101, Reason.OUT_OF_RANGE),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_number_in_range_is_unknown_for_its_reason(value: Any, why: Reason) -> None:
    assert reason(number({"x": value}, "x", high=100)) is why


def test_absence_anywhere_on_the_path_is_not_reported() -> None:
    assert reason(number({}, "SUMMARY", 0, "x")) is Reason.NOT_REPORTED
    assert reason(number({"SUMMARY": []}, "SUMMARY", 0, "x")) is Reason.NOT_REPORTED
    assert reason(number({"SUMMARY": [{}]}, "SUMMARY", 0, "x")) is Reason.NOT_REPORTED


def test_another_shape_on_the_path_is_malformed() -> None:
    assert reason(number({"SUMMARY": "no"}, "SUMMARY", 0, "x")) is Reason.MALFORMED
    assert reason(number({"SUMMARY": [7]}, "SUMMARY", 0, "x")) is Reason.MALFORMED


def test_a_failed_command_makes_its_fields_unknown_for_its_reason() -> None:
    assert reason(number(DeviceTimeoutError("no reply"), "x")) is Reason.TIMEOUT
    assert reason(text(MalformedReplyError("junk"), "x")) is Reason.MALFORMED
    assert reason(items(Unknown(Reason.STALE), "x")) is Reason.STALE


def test_nothing_is_scaled_down_to_zero() -> None:
    assert reason(number({"x": 5e-324}, "x", scale=1e-3)) is Reason.OUT_OF_RANGE


def test_a_zero_that_was_sent_is_a_zero() -> None:
    assert number({"x": "0.00"}, "x") == 0.0
    assert integer({"x": 0}, "x") == 0


def test_a_fraction_is_no_whole_number() -> None:
    assert integer({"x": 2.0}, "x") == 2
    assert reason(integer({"x": 0.4}, "x")) is Reason.MALFORMED


def test_texts_are_stripped_cut_and_never_blank() -> None:
    assert text({"x": " a "}, "x") == "a"
    assert text({"x": "y" * 1_000}, "x") == "y" * 200
    assert reason(text({"x": " "}, "x")) is Reason.NOT_REPORTED
    assert reason(text({"x": 5}, "x")) is Reason.MALFORMED


def test_flags_are_bools_or_the_usual_words() -> None:
    assert flag({"x": True}, "x") is True
    assert flag({"x": "N"}, "x") is False
    assert reason(flag({"x": 1}, "x")) is Reason.MALFORMED
    assert reason(flag({"x": "maybe"}, "x")) is Reason.MALFORMED


def test_lists_hold_objects_only_and_are_bounded() -> None:
    assert items({"x": [{"a": 1}] * 5}, "x", most=2) == ({"a": 1}, {"a": 1})
    assert items({"x": []}, "x") == ()
    assert reason(items({"x": [{}, 3]}, "x")) is Reason.MALFORMED
    assert reason(items({"x": {}}, "x")) is Reason.MALFORMED


def test_a_word_means_what_the_table_says_and_nothing_else() -> None:
    meanings = {"Alive": True, "Dead": False}
    assert one_of("Alive", meanings, "Status") is True
    assert reason(one_of("Sleepy", meanings, "Status")) is Reason.MALFORMED
    assert reason(one_of(Unknown(Reason.TIMEOUT), meanings, "Status")) is Reason.TIMEOUT


def test_the_first_known_value_wins_and_the_first_reason_stays() -> None:
    late, malformed = Unknown(Reason.TIMEOUT), Unknown(Reason.MALFORMED)
    assert first_known(late, 3.0, 4.0) == 3.0
    assert first_known(late, malformed) is late


def test_the_reason_stays_short_whatever_was_sent() -> None:
    value = number({"x": "z" * 100_000}, "x")
    assert isinstance(value, Unknown)
    assert len(value.detail) < 200


def test_raw_gives_what_stands_there() -> None:
    assert raw({"x": [1, {"y": "z"}]}, "x", 1) == {"y": "z"}
