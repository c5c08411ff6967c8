"""An office on a fresh database, once on each kind."""

import pytest

from controller.storage.engine import Storage
from tests.nodes import StillClock
from tests.offices import Office


@pytest.fixture
def clock() -> StillClock:
    """Noon."""
    return StillClock()


@pytest.fixture
def office(storage: Storage, clock: StillClock) -> Office:
    """Everybody is there."""
    return Office(storage, clock).open()
