"""How often one place may try. A bucket a place; the number of places is bounded.

Each replica counts for itself: tokens have 128 bits, so this keeps
the doors quiet rather than shut.
"""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from controller.access import addresses

_MOST_PLACES = 10_000


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a place may still spend, as of a moment (monotonic seconds)."""

    left: float
    at_s: float
    told: bool = False
    """Whether its running dry was reported."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `burst` at once, and `a_second` over time."""

    burst: float = 60.0
    a_second: float = 2.0


def refilled(bucket: Bucket, limit: RateLimit, now_s: float) -> Bucket:
    """The bucket as of now. Pure."""
    left = min(limit.burst, bucket.left + (now_s - bucket.at_s) * limit.a_second)
    return Bucket(left, now_s, told=bucket.told and left < limit.burst / 2)


class Places:
    """The buckets of all places; may be used from several threads."""

    def __init__(self, limit: RateLimit | None = None) -> None:
        self.limit = RateLimit() if limit is None else limit
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._lock = Lock()

    def spend(self, address: str, now_s: float, cost: float = 1.0) -> bool:
        """Takes `cost` from the place's bucket; False, taking nothing, where less is left."""
        with self._lock:
            bucket = self._bucket(address, now_s)
            enough = bucket.left >= cost
            left = bucket.left - cost if enough else bucket.left
            self._put(address, Bucket(left, now_s, bucket.told))
            return enough

    def punish(self, address: str, now_s: float, cost: float) -> None:
        """Takes `cost` for a refused attempt, down to nothing left."""
        with self._lock:
            bucket = self._bucket(address, now_s)
            self._put(address, Bucket(max(0.0, bucket.left - cost), now_s, bucket.told))

    def tell_once(self, address: str, now_s: float) -> bool:
        """Whether running dry is to be reported: once until the bucket is half full again."""
        with self._lock:
            bucket = self._bucket(address, now_s)
            self._put(address, Bucket(bucket.left, now_s, told=True))
            return not bucket.told

    def _bucket(self, address: str, now_s: float) -> Bucket:
        kept = self._buckets.get(place_of(address))
        return (
            Bucket(self.limit.burst, now_s) if kept is None else refilled(kept, self.limit, now_s)
        )

    def _put(self, address: str, bucket: Bucket) -> None:
        place = place_of(address)
        self._buckets[place] = bucket
        self._buckets.move_to_end(place)
        if len(self._buckets) > _MOST_PLACES:
            self._buckets.popitem(last=False)


def place_of(address: str) -> str:
    """The place that an address counts for; all that is no address is one place. Pure."""
    return addresses.place_of(address) or "unknown"
