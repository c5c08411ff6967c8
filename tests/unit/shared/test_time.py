"""Time as data."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.errors import BadInputError
from shared.time import TimeScale, from_ms, iso_utc, to_ms


def test_milliseconds_and_datetimes_agree_also_across_zones() -> None:
    moment = datetime(2024, 5, 8, 7, 0, 0, 123_000, tzinfo=timezone(timedelta(hours=-5)))
    assert to_ms(moment) == 1_715_169_600_123
    assert from_ms(1_715_169_600_123) == moment.astimezone(UTC)


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(BadInputError):
        to_ms(datetime(2024, 5, 8))  # noqa: DTZ001 - the case under test


def test_a_time_no_calendar_has_is_refused() -> None:
    with pytest.raises(BadInputError):
        from_ms(2**62)


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [
        (1_715_299_200_000, "2024-05-10T00:00:00Z"),
        (1_715_169_600_123, "2024-05-08T12:00:00.123Z"),
        (2**62, "4611686018427387904 ms"),
    ],
)
def test_a_time_in_a_text_is_iso_in_utc_as_far_as_the_calendar_goes(
    time_ms: int, text: str
) -> None:
    assert iso_utc(time_ms) == text


def test_a_scale_runs_from_its_origin_at_its_rate() -> None:
    scale = TimeScale(real_origin_ms=1_000, shown_origin_ms=50_000, rate=100)
    assert scale.shown_ms(1_000) == 50_000
    assert scale.shown_ms(1_010) == 51_000
    assert scale.real_seconds(6_000) == pytest.approx(0.06)
    assert TimeScale().shown_ms(123_456) == 123_456


@pytest.mark.parametrize("rate", [0, -1, 1e9, float("nan")])
def test_a_rate_without_sense_is_refused(rate: float) -> None:
    with pytest.raises(BadInputError):
        TimeScale(rate=rate)
