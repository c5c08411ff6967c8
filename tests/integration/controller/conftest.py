"""A controller's ingest on a fresh database, fed by hand."""

import pytest

from controller.config import IngestConfig
from controller.ingest.runner import Ingest
from controller.metrics import ControllerMetrics
from controller.storage.engine import Storage
from tests.nodes import FakeNode, StillClock, enter_nodes


@pytest.fixture
def clock() -> StillClock:
    """Noon."""
    return StillClock()


@pytest.fixture
def node(storage: Storage, clock: StillClock) -> FakeNode:
    """A node that the database knows."""
    fake = FakeNode()
    enter_nodes(storage, clock, fake.name, "site-a-02")
    return fake


@pytest.fixture
def ingest(storage: Storage, clock: StillClock) -> Ingest:
    """Not started: tests call `take`."""
    return Ingest(storage, clock, IngestConfig(), ControllerMetrics())
