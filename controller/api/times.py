"""A span of time in a query: `from` inclusive, `to` exclusive."""

import re
from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError

from shared.errors import BadInputError
from shared.time import from_ms, to_ms

_YEAR = re.compile(r"[0-9]{4}-")
_LAST_MS = 253_402_300_799_999
"""The end of the year 9999, where the calendar of Python and of JSON's clients ends."""


def _written_out(value: object) -> object:
    """Not a number, which pydantic takes for seconds or milliseconds, as it finds likelier."""
    if isinstance(value, int | float) or (isinstance(value, str) and not _YEAR.match(value)):
        raise PydanticCustomError("time", "a time is written as RFC 3339 has it")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out)]
"""A time with a UTC offset in a request."""
From = Annotated[Moment | None, Query(alias="from", description="Inclusive, with a UTC offset")]
To = Annotated[Moment | None, Query(alias="to", description="Exclusive, with a UTC offset")]


def span_ms(start: AwareDatetime | None, end: AwareDatetime | None) -> tuple[int, int]:
    """The span in milliseconds; open ends reach as far as time does."""
    from_ms = 0 if start is None else max(0, to_ms(start))
    until_ms = 2**62 if end is None else max(0, to_ms(end))
    if until_ms < from_ms:
        raise BadInputError("query.to", "before `from`", "a time at or after `from`")
    return from_ms, until_ms


def told_by_node(time_ms: int) -> datetime:
    """A time that a node gave. One beyond the calendar is shown as its last moment: the row stays
    as it came, and a list that has it can be read."""
    return from_ms(min(time_ms, _LAST_MS))
