"""Which events are counted on one row."""

import json

import pytest

from controller.detection.counting import (
    LONGEST_MS,
    WINDOW_MS,
    Series,
    continues,
    fingerprint,
    plain_detail,
    plain_text,
    worth_telling,
)
from controller.detection.kinds import MEANINGS, SecurityKind, severity_of
from shared.messages.event import Severity


@pytest.mark.parametrize(
    ("series", "now_ms", "expected"),
    [
        (Series(0, 0, acknowledged=False), WINDOW_MS, True),
        (Series(0, 0, acknowledged=False), WINDOW_MS + 1, False),
        (Series(0, LONGEST_MS, acknowledged=False), LONGEST_MS, True),
        (Series(0, LONGEST_MS, acknowledged=False), LONGEST_MS + 1, False),
        (Series(0, 0, acknowledged=True), 1, False),
        (Series(1_000, 1_000, acknowledged=False), 999, False),
    ],
)
def test_a_series_goes_on_within_the_window_until_it_is_long_or_seen(
    series: Series, now_ms: int, expected: bool
) -> None:
    assert continues(series, now_ms) is expected


def test_a_flood_is_told_at_one_ten_a_hundred() -> None:
    told = [count for count in range(1, 1_001) if worth_telling(count - 1, count)]
    assert told == [1, 10, 100, 1_000]
    assert worth_telling(7, 5_000)
    assert not worth_telling(11, 99)


def test_events_are_equal_but_for_how_long_something_lasts() -> None:
    one = fingerprint("sign_in_failed", "user:1", {"step": "password", "locked_ms": 5})
    assert one == fingerprint("sign_in_failed", "user:1", {"step": "password", "locked_ms": 9})
    assert one != fingerprint("sign_in_failed", "user:2", {"step": "password", "locked_ms": 5})
    assert one != fingerprint("sign_in_failed", "user:1", {"step": "totp", "locked_ms": 5})


def test_what_an_attacker_wrote_becomes_short_and_printable() -> None:
    text = plain_text("a\x00b\x1b[31m\ud800" + "x" * 1_000)
    assert text.startswith("a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[31m")
    assert len(text) == 300
    text.encode()


def test_a_detail_is_bounded_plain_json_whatever_it_was() -> None:
    deep: dict[str, object] = {}
    for _ in range(50):
        deep = {"in": deep}
    shown = plain_detail(
        {
            "deep": deep,
            "many": list(range(10_000)),
            "bytes": b"\x01\x02",
            "nan": float("nan"),
            "large": 2**80,
            "other": object,
            **{f"key {n}": {f"k{m}": "x" * 1_000 for m in range(100)} for n in range(100)},
        }
    )
    text = json.dumps(shown, allow_nan=False)
    assert len(text) <= 17_000
    assert shown["bytes"] == "0102"


def test_every_kind_has_a_severity_and_a_sentence() -> None:
    assert set(MEANINGS) == set(SecurityKind)
    assert all(meaning.text.endswith(".") for meaning in MEANINGS.values())
    assert severity_of(SecurityKind.COMMAND_FORGED) is Severity.CRITICAL
    assert severity_of(SecurityKind.RENEWED_LATE) is Severity.INFO
    assert max(len(kind.value) for kind in SecurityKind) <= 40
