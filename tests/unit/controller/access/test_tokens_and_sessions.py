"""The token opens the door, the sealed cookie opens it for a while, nothing else does."""

from pathlib import Path

import pytest

from controller.access.sessions import LIFETIME_S, is_good, seal
from controller.access.tokens import BearerToken, load_token
from shared.errors import BadInputError

TOKEN = BearerToken(b"t" * 40)


def test_a_token_matches_itself_only() -> None:
    assert TOKEN.matches("t" * 40)
    assert not TOKEN.matches("t" * 39)
    assert not TOKEN.matches("t" * 39 + "u")
    assert not TOKEN.matches("\udcff")


def test_a_token_does_not_show_itself() -> None:
    assert "ttt" not in repr(TOKEN)


def test_a_token_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("a" * 43 + "\n")
    assert load_token(file).matches("a" * 43)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 600, "ä".encode() * 30])
def test_a_weak_or_odd_token_file_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(BadInputError) as refused:
        load_token(file)
    assert refused.value.field == "http.token_file"


def test_a_missing_token_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError):
        load_token(tmp_path / "absent")


def test_a_session_is_good_until_it_runs_out() -> None:
    cookie = seal(TOKEN, 1_000)
    assert is_good(TOKEN, cookie, 1_000 + LIFETIME_S - 1)
    assert not is_good(TOKEN, cookie, 1_000 + LIFETIME_S)


def test_a_session_of_another_token_is_refused() -> None:
    assert not is_good(BearerToken(b"u" * 40), seal(TOKEN, 1_000), 1_001)


def test_every_changed_character_of_a_cookie_is_refused() -> None:
    cookie = seal(TOKEN, 1_000)
    for position, character in enumerate(cookie):
        other = "0" if character != "0" else "1"
        assert not is_good(TOKEN, cookie[:position] + other + cookie[position + 1 :], 1_001)


@pytest.mark.parametrize("cookie", ["", ".", "..", "9999999999.", "x" * 500, "\udcff.\udcff"])
def test_what_is_no_cookie_is_refused(cookie: str) -> None:
    assert not is_good(TOKEN, cookie, 0)
