"""US Central time by its rule, so that the features need no time-zone database."""

from datetime import UTC, date, datetime, timedelta

from shared.time import from_ms

_QUARTER_HOURS_A_DAY = 96


def central_time(time_ms: int) -> datetime:
    """The naive wall time in US Central (second Sunday of March to first Sunday of November, -5).

    Rule of the Energy Policy Act of 2005, section 110; in force since 2007.
    """
    moment = from_ms(time_ms)
    summer_starts = _at(_nth_sunday(moment.year, 3, 2), 8)
    summer_ends = _at(_nth_sunday(moment.year, 11, 1), 7)
    offset_hours = -5 if summer_starts <= moment < summer_ends else -6
    return (moment + timedelta(hours=offset_hours)).replace(tzinfo=None)


def quarter_of_day(wall: datetime) -> int:
    """The quarter hour of the day, 0 to 95."""
    return (wall.hour * 60 + wall.minute) // 15 % _QUARTER_HOURS_A_DAY


def _nth_sunday(year: int, month: int, n: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (n - 1))


def _at(day: date, hour_utc: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour_utc, tzinfo=UTC)
