"""The queues for places where passwords are judged."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from anyio.to_thread import current_default_thread_limiter

from controller.access import places
from controller.access.places import KNOWN, STRANGERS, SUSPECTS, PlaceQueue, QueueSize

SMALL = QueueSize(places=3, places_each=2, waiting=3, waiting_each=2)


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> PlaceQueue:
    """A small one, where one waits for as long as it takes."""
    monkeypatch.setattr(places, "WAIT_S", 60.0)
    return PlaceQueue(SMALL)


def until(condition: Callable[[], bool]) -> None:
    """Goes on when it holds."""
    deadline_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.002)


class Waiter:
    """Somebody who comes in a thread of his own, and stays until he is sent away."""

    def __init__(self, queue: PlaceQueue, key: str) -> None:
        self._go = threading.Event()
        self.has_place: bool | None = None
        self._thread = threading.Thread(target=self._come, args=(queue, key), daemon=True)
        before = queue.waiting
        self._thread.start()
        until(lambda: queue.waiting > before or self.has_place is not None)

    def _come(self, queue: PlaceQueue, key: str) -> None:
        with queue.place(key) as has_place:
            self.has_place = has_place
            self._go.wait(60)

    def leave(self) -> None:
        """Gives the place back, or the wish for one."""
        self._go.set()
        self._thread.join(60)


def come(queue: PlaceQueue, keys: str) -> list[Waiter]:
    """One after another, one for every letter."""
    return [Waiter(queue, key) for key in keys]


def test_one_key_has_no_more_than_its_share_of_the_places(queue: PlaceQueue) -> None:
    crowd = come(queue, "aaab")
    assert [one.has_place for one in crowd] == [True, True, None, True]
    for one in crowd:
        one.leave()
    assert crowd[2].has_place


def test_who_waited_longer_comes_first(queue: PlaceQueue) -> None:
    crowd = come(queue, "abcde")
    assert [one.has_place for one in crowd] == [True, True, True, None, None]
    crowd[0].leave()
    until(lambda: crowd[3].has_place is not None)
    assert (crowd[3].has_place, crowd[4].has_place, queue.waiting) == (True, None, 1)
    for one in crowd:
        one.leave()


def test_nobody_waits_for_another_key_to_have_fewer_places(queue: PlaceQueue) -> None:
    crowd = come(queue, "aabac")
    assert [one.has_place for one in crowd] == [True, True, True, None, None]
    crowd[2].leave()
    until(lambda: crowd[4].has_place is not None)
    assert (crowd[3].has_place, crowd[4].has_place) == (None, True)
    for one in crowd:
        one.leave()


@pytest.mark.parametrize("keys", ["abcdefg", "aabaaa"], ids=["all", "one key's"])
def test_who_finds_too_many_waiting_is_refused_at_once(queue: PlaceQueue, keys: str) -> None:
    crowd = come(queue, keys)
    assert [one.has_place for one in crowd[3:]] == [None] * (len(keys) - 4) + [False]
    for one in crowd:
        one.leave()
    assert queue.waiting == 0


def test_who_waits_in_vain_is_refused_and_leaves_the_queue(
    queue: PlaceQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "WAIT_S", 0.01)
    with ExitStack() as held:
        assert all(held.enter_context(queue.place(key)) for key in "abc")
        with queue.place("d") as has_place:
            assert not has_place
        assert queue.waiting == 0
    with queue.place("d") as has_place:
        assert has_place


def test_a_place_is_given_back_also_when_judging_fails(queue: PlaceQueue) -> None:
    def judge() -> None:
        with queue.place("a") as has_place:
            raise MemoryError if has_place else AssertionError

    for _ in range(SMALL.places + 1):
        with pytest.raises(MemoryError):
            judge()


async def test_the_queues_leave_threads_for_everything_else() -> None:
    held = sum(size.places + size.waiting for size in (STRANGERS, SUSPECTS, KNOWN))
    assert held <= 0.65 * current_default_thread_limiter().total_tokens
