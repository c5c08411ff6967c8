"""Places where passwords are judged, and the queues for them.

Judging costs tens of MiB and a good part of a second, and whoever waits for it holds one of the
threads that serve everything else too. So the places are few, of one address (or account) fewer,
and of those who wait there is a bound as well: who finds the queue full is refused at once.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

WAIT_S = 4.0
"""How long somebody waits for a place, at most."""


@dataclass(frozen=True, slots=True)
class QueueSize:
    """How many have a place at once and how many wait for one; `_each`: of one key."""

    places: int
    places_each: int
    waiting: int
    waiting_each: int


STRANGERS = QueueSize(places=4, places_each=1, waiting=10, waiting_each=4)
SUSPECTS = QueueSize(places=2, places_each=1, waiting=3, waiting_each=3)
KNOWN = QueueSize(places=2, places_each=2, waiting=4, waiting_each=3)


@dataclass(slots=True, eq=False)
class _Ticket:
    key: str
    has_place: bool = False


class PlaceQueue:
    """First come, first served, except that nobody waits for another key to have fewer places."""

    def __init__(self, size: QueueSize) -> None:
        self._size = size
        self._changed = threading.Condition()
        self._at_work = Counter[str]()
        self._waiting: list[_Ticket] = []

    @property
    def waiting(self) -> int:
        """How many wait now."""
        with self._changed:
            return len(self._waiting)

    @contextmanager
    def place(self, key: str) -> Iterator[bool]:
        """Whether there was a place for one of this key, within `WAIT_S`; it is given back when
        the block ends."""
        has_place = self._enter(_Ticket(key))
        try:
            yield has_place
        finally:
            if has_place:
                self._leave(key)

    def _enter(self, ticket: _Ticket) -> bool:
        with self._changed:
            self._waiting.append(ticket)
            self._give_places()
            if not ticket.has_place and not self._has_too_many(ticket.key):
                self._changed.wait_for(lambda: ticket.has_place, WAIT_S)
            if not ticket.has_place:
                self._waiting.remove(ticket)
            return ticket.has_place

    def _leave(self, key: str) -> None:
        with self._changed:
            self._at_work -= Counter([key])
            self._give_places()

    def _has_too_many(self, key: str) -> bool:
        of_key = sum(ticket.key == key for ticket in self._waiting)
        return len(self._waiting) > self._size.waiting or of_key > self._size.waiting_each

    def _give_places(self) -> None:
        for ticket in tuple(self._waiting):
            if self._at_work.total() >= self._size.places:
                break
            if self._at_work[ticket.key] < self._size.places_each:
                self._at_work[ticket.key] += 1
                self._waiting.remove(ticket)
                ticket.has_place = True
        self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class Queues:
    """Those who sign in from anywhere; those from where a sign-in failed lately or is judged now,
    so that guessing on uses the guesser's addresses up; and those who are known: who are signed in,
    by account, or sign in from where somebody is. None of these takes a place of the others."""

    strangers: PlaceQueue = field(default_factory=lambda: PlaceQueue(STRANGERS))
    suspects: PlaceQueue = field(default_factory=lambda: PlaceQueue(SUSPECTS))
    known: PlaceQueue = field(default_factory=lambda: PlaceQueue(KNOWN))
