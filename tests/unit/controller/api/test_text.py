"""No text of a request has a NUL character, its numbers are numbers, its times are written out."""

from typing import Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from controller.api.preconditions import expected_version
from controller.api.problems import ProblemError
from controller.api.text import NO_NUL, Flag, StrictRequest
from controller.api.times import Moment


class _Part(StrictRequest):
    text: str


class _Request(StrictRequest):
    name: str | None = None
    names: list[str] = Field(default_factory=list)
    parts: list[_Part] = Field(default_factory=list)
    flag: Flag = False
    number: int = 0


@pytest.mark.parametrize(
    "given",
    [
        {"name": "a\0b"},
        {"names": ["a", "\0"]},
        {"parts": [{"text": "\0"}]},
        {"flag": 0},
        {"flag": "yes"},
        {"number": "5"},
        {"number": 1.5},
        {"number": True},
        {"other": 1},
    ],
)
def test_what_its_type_is_not_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _Request.model_validate(given)


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert _Request.model_validate({"number": 5.0}).number == 5


def test_the_schema_tells_of_it() -> None:
    schema = _Request.model_json_schema()
    properties = schema["properties"]
    assert properties["name"]["anyOf"][0]["pattern"] == NO_NUL
    assert properties["names"]["items"]["pattern"] == NO_NUL
    assert schema["$defs"]["_Part"]["properties"]["text"]["pattern"] == NO_NUL


@pytest.mark.parametrize("given", [0, 0.5, "0", "1715169600", "100e-5", "1-2", "2024-05-08"])
def test_a_time_that_is_not_written_out_with_its_offset_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Moment).validate_python(given)


@pytest.mark.parametrize("given", ['"9223372036854775808"', f'"{"9" * 38}"'])
def test_a_version_beyond_64_bits_is_no_rows(given: str) -> None:
    with pytest.raises(ProblemError):
        expected_version(given)
