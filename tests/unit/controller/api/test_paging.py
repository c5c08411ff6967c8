"""Pages follow one another without loss, and a foreign cursor is refused."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.api.paging import decode_cursor, encode_cursor, page
from shared.errors import BadInputError


@given(st.integers(-(2**62), 2**62), st.text(max_size=50))
def test_a_cursor_comes_back_as_its_key(number: int, text: str) -> None:
    assert decode_cursor(encode_cursor([number, text]), int, str) == (number, text)


@given(st.text(max_size=200))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    key = None
    with suppress(BadInputError):
        key = decode_cursor(text, int)
    assert key is None or type(key[0]) is int


@pytest.mark.parametrize("key", [["a"], [1, 2], [], [True], [2**63]])
def test_a_cursor_of_another_shape_is_refused(key: list[int | str]) -> None:
    with pytest.raises(BadInputError):
        decode_cursor(encode_cursor(key), int)


@given(st.integers(0, 40), st.integers(1, 12))
def test_following_the_cursors_gives_every_item_once(total: int, limit: int) -> None:
    seen: list[int] = []
    cursor: str | None = None
    while True:
        key = decode_cursor(cursor, int)
        after = -1 if key is None else int(key[0])
        rows = [n for n in range(total) if n > after][: limit + 1]
        shown = page(rows, limit, lambda n: n, lambda n: [n])
        seen += shown.items
        cursor = shown.next_cursor
        if cursor is None:
            break
    assert seen == list(range(total))
