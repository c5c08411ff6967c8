"""Time as data: milliseconds since the epoch and the scale of a demonstration. No clock."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.errors import BadInputError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(moment: datetime) -> int:
    """Whole milliseconds since 1970-01-01T00:00Z of an aware datetime (rounded down)."""
    if moment.tzinfo is None:
        raise BadInputError("time", "a naive datetime", "an aware datetime")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def from_ms(time_ms: int) -> datetime:
    """The aware UTC datetime of milliseconds since the epoch."""
    try:
        return _EPOCH + timedelta(milliseconds=time_ms)
    except OverflowError as error:
        raise BadInputError("time_ms", f"{time_ms}", "a date in the years 1 to 9999") from error


def iso_utc(time_ms: int) -> str:
    """A time in a text for people, such as "2024-05-09T20:15:00Z"; one beyond the calendar stays
    a number of milliseconds."""
    try:
        moment = from_ms(time_ms)
    except BadInputError:
        return f"{time_ms} ms"
    precision = "milliseconds" if time_ms % 1_000 else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class TimeScale:
    """Maps real time to the time shown, for replaying a recorded day faster than it was.

    At `real_origin_ms` the shown time is `shown_origin_ms`; from there it runs `rate` times as
    fast. The identity scale is (0, 0, 1).
    """

    real_origin_ms: int = 0
    shown_origin_ms: int = 0
    rate: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 100_000:
            raise BadInputError("rate", f"{self.rate}", "above 0 and at most 100000")

    def shown_ms(self, real_ms: int) -> int:
        """The shown time at a real time, both in milliseconds since the epoch."""
        return self.shown_origin_ms + int((real_ms - self.real_origin_ms) * self.rate)

    def real_seconds(self, shown_ms: int) -> float:
        """How many real seconds a span of shown milliseconds takes."""
        return shown_ms / 1000 / self.rate
