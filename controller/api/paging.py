"""Cursor pages: the cursor is the sort key of the last item given, opaque to the client."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from shared.errors import BadInputError

MAX_LIMIT = 500
_MAX_CURSOR = 400

T = TypeVar("T")
R = TypeVar("R")
Key = Sequence[int | str]

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items in a page at the most")]
Cursor = Annotated[
    str | None,
    Query(
        max_length=_MAX_CURSOR,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="`next_cursor` of the page before this one",
    ),
]


class Page(BaseModel, Generic[T]):
    """Items in order, and where the next page begins."""

    items: list[T]
    next_cursor: str | None = Field(description="null on the last page")


def page(rows: Sequence[R], limit: int, show: Callable[[R], T], key: Callable[[R], Key]) -> Page[T]:
    """A page of `rows`, which were asked for with one more than `limit`."""
    shown = rows[:limit]
    following = encode_cursor(key(shown[-1])) if len(rows) > limit else None
    return Page[T](items=[show(row) for row in shown], next_cursor=following)


def encode_cursor(key: Key) -> str:
    """The cursor of a sort key."""
    return base64.urlsafe_b64encode(json.dumps(list(key)).encode()).decode().rstrip("=")


def decode_cursor(
    cursor: str | None, *kinds: type[int] | type[str]
) -> tuple[int | str, ...] | None:
    """The sort key of a cursor, of these types; `BadInputError` when it is none of ours."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise BadInputError("query.cursor", "not a cursor", "next_cursor of a page") from error
    if not isinstance(key, list) or [type(part) for part in key] != list(kinds):
        raise BadInputError("query.cursor", "another list's cursor", "next_cursor of this list")
    if any(isinstance(part, int) and abs(part) >= 2**63 for part in key):
        raise BadInputError("query.cursor", "not a cursor", "next_cursor of a page")
    return tuple(key)
