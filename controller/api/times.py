"""A span of time in a query: `from` inclusive, `to` exclusive."""

from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime

from shared.errors import BadInputError
from shared.time import to_ms

From = Annotated[
    AwareDatetime | None, Query(alias="from", description="Inclusive, with a UTC offset")
]
To = Annotated[AwareDatetime | None, Query(alias="to", description="Exclusive, with a UTC offset")]


def span_ms(start: AwareDatetime | None, end: AwareDatetime | None) -> tuple[int, int]:
    """The span in milliseconds; open ends reach as far as time does."""
    from_ms = 0 if start is None else max(0, to_ms(start))
    until_ms = 2**62 if end is None else max(0, to_ms(end))
    if until_ms < from_ms:
        raise BadInputError("query.to", "before `from`", "a time at or after `from`")
    return from_ms, until_ms
