"""What a log line shows, and what it never shows."""

import copy
import io
import json
import logging
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from shared.logs import (
    TRACE,
    command_trace,
    current_trace,
    hidden,
    set_up_logs,
    traced,
)
from shared.secret import HIDDEN, Secret

KEY = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    set_up_logs("info", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_secret_shows_itself_only_when_asked_by_name() -> None:
    secret = Secret.of_text("hunter2hunter2")
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret:>20}", f"{[secret]}"):
        assert "hunter2" not in shown
    assert secret.reveal_text() == "hunter2hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.deepcopy(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)


def test_a_secret_in_a_line_is_hidden_by_its_type(lines: io.StringIO) -> None:
    secret = Secret(b"hunter2hunter2")
    structlog.get_logger().info("signed", key=secret, several=[secret, {"in": secret}])
    assert "hunter2" not in lines.getvalue()
    assert written(lines)[0]["several"] == [HIDDEN, {"in": HIDDEN}]


def test_a_secret_in_a_traceback_is_hidden(lines: io.StringIO) -> None:
    def fail() -> None:
        raise ValueError(f"the request had Authorization: Bearer abcdefghijkl and {KEY}")

    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "abcdefghijkl" not in lines.getvalue()
    assert "MC4CAQ" not in lines.getvalue()
    assert "ValueError" in lines.getvalue()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("password", "hunter2"),
        ("api_token", "hunter2"),
        ("session_cookie", "hunter2"),
        ("private_key_pem", "hunter2"),
        ("text", "whsec_hunter2hunter2"),
        ("url", "https://user:hunter2@example.com/"),
        ("text", KEY.replace("MC4CAQAwBQYDK2Vw", "hunter2")),
    ],
)
def test_what_looks_like_a_secret_is_hidden_as_the_second_line(name: str, value: str) -> None:
    assert "hunter2" not in str(hidden({"in": {name: value}}))


def test_what_is_none_is_shown() -> None:
    shown = {"node": "site-a-01", "token_id": 7, "opinion": "fine", "count": 3, "key_id": "ab12"}
    assert hidden(shown) == shown


def test_every_line_carries_the_trace_that_is_bound(lines: io.StringIO) -> None:
    with traced() as trace:
        structlog.get_logger().info("inside")
        assert current_trace() == trace
    structlog.get_logger().info("outside")
    inside, outside = written(lines)
    assert inside["trace"] == trace
    assert TRACE.fullmatch(trace)
    assert "trace" not in outside
    assert current_trace() is None


def test_other_libraries_write_the_same_lines(lines: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").error("it ended: %s", "Bearer abcdefghijkl")
    (line,) = written(lines)
    assert line["level"] == "error"
    assert "abcdefghijkl" not in line["event"]


def test_both_sides_of_the_wire_name_a_command_alike() -> None:
    assert command_trace("order-1") == command_trace("order-1")
    assert command_trace("order-1") != command_trace("order-2")
    assert TRACE.fullmatch(command_trace("order-1"))
