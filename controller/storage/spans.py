"""Range sets as bytes in the database: CBOR `[[first, last], ...]`."""

import cbor2

from shared.messages import cbor
from shared.ranges import RangeSet

EMPTY = cbor.encode([])


def to_bytes(ranges: RangeSet) -> bytes:
    """The stored form."""
    return cbor.encode([list(span) for span in ranges.spans])


def from_bytes(stored: bytes) -> RangeSet:
    """Reads the stored form, which is sorted, disjoint and not adjacent."""
    return RangeSet(tuple((first, last) for first, last in cbor2.loads(stored)))
