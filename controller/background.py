"""Work that repeats in a thread until the process ends."""

import threading
from collections.abc import Callable

import structlog

_LONGEST_PAUSE_S = 10.0
_log = structlog.get_logger()


class Worker:
    """Calls `work` again and again: at once while it returns True, else after `every_s` or `wake`.

    What a round meets is logged and the next one comes, later and later; `failing` tells it.
    """

    def __init__(self, name: str, work: Callable[[], bool], every_s: float) -> None:
        self.name = name
        self._work = work
        self._every_s = every_s
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def failing(self) -> bool:
        """Whether the last rounds failed."""
        return self._failures >= 3

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def wake(self) -> None:
        """Do not wait; from any thread."""
        self._wake.set()

    def stop(self) -> None:
        """Ends after the round under way."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                more = self._work()
                self._failures = 0
            except Exception as error:  # noqa: BLE001 - a worker outlives whatever a round meets
                self._failures += 1
                _log.error("a round failed", worker=self.name, error=repr(error)[:300])
                more = False
                self._stopping.wait(min(_LONGEST_PAUSE_S, 0.2 * 2**self._failures))
            if not more:
                self._wake.wait(self._every_s)
