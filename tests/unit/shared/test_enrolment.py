"""The text of an enrolment token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.enrolment import SECRET_BYTES, EnrolmentToken, parse_token
from shared.errors import BadInputError

SECRETS = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)
NODES = st.from_regex(r"\A[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")


@given(NODES, SECRETS)
def test_a_token_is_read_as_it_was_written(node: str, secret: bytes) -> None:
    token = EnrolmentToken(node, secret)
    assert parse_token(f" {token.text}\n") == token


@given(SECRETS, SECRETS)
def test_tokens_differ_where_their_secrets_do(one: bytes, other: bytes) -> None:
    tokens = EnrolmentToken("a", one), EnrolmentToken("a", other)
    assert (tokens[0].text == tokens[1].text) is (one == other)
    assert (tokens[0].sha256 == tokens[1].sha256) is (one == other)


@given(SECRETS)
def test_a_secret_does_not_show_itself(secret: bytes) -> None:
    token = EnrolmentToken("site-a-01", secret)
    assert token.text.partition(".")[2] not in repr(token)
    assert repr(secret) not in repr(token)


@given(st.text(min_size=8, max_size=200))
def test_any_other_text_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(BadInputError) as refused:
        parse_token(text)
    assert len(text.strip()) < 8 or text.strip() not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "site-a-01",
        "site-a-01.",
        ".abcdefghijklmnopqrstuvwxyz",
        "Site-A.aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "../x.aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "site-a-01.aaaaaaaaaaaaaaaaaaaaaaaaa1",
        "site-a-01.aaaaaaaaaaaaaaaaaaaaaaaaab",
        "site-a-01.AAAAAAAAAAAAAAAAAAAAAAAAAA",
        "site-a-01.aaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ],
)
def test_what_is_no_token(text: str) -> None:
    with pytest.raises(BadInputError, match="token"):
        parse_token(text)
