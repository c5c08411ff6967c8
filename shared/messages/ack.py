"""`ack`: ranges that are committed, and births that the controller lacks."""

from dataclasses import dataclass, field

from shared.errors import BadInputError
from shared.messages import cbor

MAX_RANGES = 5_000


@dataclass(frozen=True, slots=True)
class AckedRange:
    """Rows first..last (both included) of a stream are committed."""

    stream: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Ack:
    """What the controller has for good; `births_wanted` names births to send again."""

    ranges: tuple[AckedRange, ...] = ()
    births_wanted: tuple[int, ...] = field(default_factory=tuple)

    def encode(self) -> bytes:
        """The payload."""
        return cbor.encode(
            {
                "births_wanted": list(self.births_wanted),
                "ranges": [[r.stream, r.first, r.last] for r in self.ranges],
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> "Ack":
        """Reads a payload; `BadInputError` when it is not an ack."""
        fields = cbor.expect_map(cbor.decode(payload), "ack")
        ranges = cbor.expect_list(cbor.take(fields, "ranges"), "ranges", MAX_RANGES)
        births = cbor.expect_list(cbor.take(fields, "births_wanted"), "births_wanted", 1_000)
        return cls(
            ranges=tuple(_range(row) for row in ranges),
            births_wanted=tuple(cbor.expect_int(b, "births_wanted", 1) for b in births),
        )


def _range(row: object) -> AckedRange:
    match row:
        case [int(stream), int(first), int(last)] if stream >= 0 and 1 <= first <= last:
            return AckedRange(stream, first, last)
    raise BadInputError("ranges", repr(row)[:80], "[stream, first >= 1, last >= first]")
