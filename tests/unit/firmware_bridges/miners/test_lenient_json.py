"""printf's JSON: what is accepted, what becomes not-a-number, what is refused."""

import math

import pytest

from firmware_bridges.miners.lenient_json import NotJsonError, loads


def test_plain_json_is_read_as_it_is() -> None:
    assert loads(b'{"a": [1, 2.5, true, null, "x"]}') == {"a": [1, 2.5, True, None, "x"]}


def test_a_missing_comma_between_the_objects_of_a_list_is_allowed() -> None:
    assert loads(b'{"STATS":[{"a":1}{"b":2}],"id":1}') == {"STATS": [{"a": 1}, {"b": 2}], "id": 1}


def test_a_trailing_comma_is_allowed() -> None:
    assert loads(b'{"a":[1,2,],"b":3,}') == {"a": [1, 2], "b": 3}


def test_control_characters_inside_a_text_stay_in_it() -> None:
    assert loads(b'{"a":"x\ny\x01"}') == {"a": "x\ny\x01"}


@pytest.mark.parametrize("word", [b"nan", b"-nan", b"NaN", b"NAN"])
def test_nan_becomes_not_a_number_and_never_zero(word: bytes) -> None:
    assert math.isnan(loads(b'{"GHS 5s":' + word + b',"b":1}')["GHS 5s"])


def test_infinities_keep_their_sign() -> None:
    assert loads(b"[inf, -inf, +inf]") == [math.inf, -math.inf, math.inf]


def test_a_bad_byte_in_a_text_spoils_only_that_text() -> None:
    assert loads(b'{"a":"x\xff","b":7}') == {"a": "x\ufffd", "b": 7}


def test_escapes_are_read_in_the_lenient_path_too() -> None:
    assert loads(b'[{"a":"q\\"\\u0041"}{"b":1}]') == [{"a": 'q"A'}, {"b": 1}]


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"   ",
        b'{"a":',
        b'{"a":1',
        b'{"a":"x',
        b'{"a" 1}',
        b"{1: 2}",
        b'{"a":01}',
        b'{"a":1.2.3}',
        b'{"a":+5}',
        b'{"a":1} trailing',
        b'{"a":bogus}',
        b'{"a":1;"b":2}',
        b"<html>busy</html>",
        b'{"a":"\\x"}{',
        b"[" * 5_000,
        b"{}" * 2,
        b'{"a":' + b"9" * 5_000 + b"}",
        b"[" * 40 + b"nan" + b"]" * 40,
    ],
)
def test_what_is_no_json_is_refused_with_a_typed_error(broken: bytes) -> None:
    with pytest.raises(NotJsonError):
        loads(broken)


def test_the_error_says_where_it_stopped() -> None:
    with pytest.raises(NotJsonError, match=r"at character 5"):
        loads(b'{"a":bogus}')


def test_a_huge_text_is_not_worth_the_slow_reader() -> None:
    with pytest.raises(NotJsonError):
        loads(b"[" + b"{}" * 100_000 + b"]")
