"""Waiting for a condition instead of sleeping."""

import time
from collections.abc import Callable

PATIENCE_S = 60.0


def wait_for(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Returns once the condition holds; `TimeoutError` names what did not come."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patience_s} s for: {what}")
        time.sleep(0.02)
