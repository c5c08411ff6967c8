"""What can happen to the plan of sending, and what it then wants done. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.uplink.state import Stream
from shared.ranges import RangeSet


@dataclass(frozen=True, slots=True)
class Found:
    """The buffer keeps these from before this process; numbers within may be gone."""

    stream: Stream
    rows: RangeSet


@dataclass(frozen=True, slots=True)
class Accepted:
    """Rows are committed; the last number of each stream now."""

    lasts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Connected:
    """A new connection stands, subscriptions and births included."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is gone."""


@dataclass(frozen=True, slots=True)
class Published:
    """A `Read` was done and `rows` handed to the connection.

    Asked-for numbers up to `through` that are not in `rows` are gone from the buffer.
    """

    batch: int
    rows: RangeSet
    through: int
    birth: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """The broker took a batch; it is not acked by that.

    `listened` is False when the broker knows of nobody who gets it (MQTT 5, PUBACK reason 0x10).
    """

    batch: int
    listened: bool = True


@dataclass(frozen=True, slots=True)
class Acked:
    """The controller has these for good: (stream id, first, last)."""

    ranges: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class BirthsSent:
    """The controller lacked these births and they were sent again."""

    births: frozenset[int]


@dataclass(frozen=True, slots=True)
class Heard:
    """The other side gave a sign of life."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Happening = (
    Found
    | Accepted
    | Connected
    | Disconnected
    | Published
    | Taken
    | Acked
    | BirthsSent
    | Heard
    | Tick
)


@dataclass(frozen=True, slots=True)
class Read:
    """Read the first `most` rows within the spans, publish them and answer with `Published`."""

    batch: int
    stream: Stream
    spans: tuple[tuple[int, int], ...]
    most: int
    historical: bool


@dataclass(frozen=True, slots=True)
class Delete:
    """These are acked: delete them."""

    stream: Stream
    rows: RangeSet


@dataclass(frozen=True, slots=True)
class GiveUpLink:
    """Nothing was heard for too long: close the connection and make a new one."""


Action = Read | Delete | GiveUpLink
