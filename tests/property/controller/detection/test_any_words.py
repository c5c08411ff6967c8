"""Whatever an attacker puts into a log or a detail, it is bounded and never an error."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.detection.broker_log import BrokerLogReader
from controller.detection.counting import fingerprint, plain_detail, plain_text, worth_telling
from shared.logs import hidden
from shared.secret import Secret

_WORDS = st.sampled_from(
    [
        "Denied PUBLISH from ",
        "New connection from ",
        "New client connected from ",
        " as ",
        "OpenSSL Error[0]: error:",
        "Client ",
        " already connected, closing old connection.",
        " disconnected due to oversize packet.",
        "Will message specified (1 bytes) (r1, q1).",
        "Sending CONNACK to ",
        "(d0, q1, r0, m2, '",
        "', ... (1 bytes))",
        "a 1 #",
        "10.0.0.7:1 on port 8883.",
        "<unknown>",
        "\t",
    ]
)
_LINES = st.builds(
    lambda stamp, parts: stamp + "".join(parts),
    st.sampled_from(["2026-11-25T10:00:00: ", "1700000000: ", "2026-99-99T99:99:99: ", ""]),
    st.lists(st.one_of(_WORDS, st.text(max_size=30)), max_size=8),
)
_VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=400),
        st.binary(max_size=200),
        st.builds(Secret, st.just(b"hunter2hunter2")),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=80), inner, max_size=5)
    ),
    max_leaves=30,
)


@given(st.lists(_LINES, max_size=30))
def test_no_line_is_an_error_and_findings_are_texts(lines: list[str]) -> None:
    reader = BrokerLogReader(frozenset({"controller"}))
    for line in lines:
        found = reader.read(line)
        if found is not None:
            assert isinstance(found.subject, str)
            assert all(isinstance(value, str) for value in found.detail.values())


@given(st.dictionaries(st.text(max_size=80), _VALUES, max_size=40))
def test_every_detail_becomes_bounded_json_and_shows_no_secret(detail: dict[str, Any]) -> None:
    plain = plain_detail(detail)
    text = json.dumps(plain, allow_nan=False)
    assert len(text) < 40_000
    assert "\\u0000" not in text
    assert "hunter2" not in text
    assert fingerprint("kind", "subject", plain) == fingerprint("kind", "subject", plain)


@given(st.text())
def test_every_text_becomes_printable_and_short(text: str) -> None:
    plain = plain_text(text)
    plain.encode()
    assert len(plain) <= 300
    assert plain.isprintable()


@given(st.integers(0, 10**7), st.integers(1, 10**7))
def test_counts_are_told_once_a_power_of_ten_however_they_come(before: int, more: int) -> None:
    passed = [mark for mark in (10**n for n in range(9)) if before < mark <= before + more]
    assert worth_telling(before, before + more) is bool(passed)


@given(_VALUES)
def test_no_secret_is_ever_shown_in_a_line(value: Any) -> None:
    assert "hunter2" not in repr(hidden({"in": value}))
