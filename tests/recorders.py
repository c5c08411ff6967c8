"""An agent's database and recorder, fresh for one test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.database import Database
from agent.recorder import Recorder
from tests.agents import IDENTITY, MINERS, SetClock


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """An open database, empty."""
    opened = await Database.open(tmp_path / "agent.db")
    yield opened
    await opened.close()


@pytest.fixture
async def recorder(database: Database) -> Recorder:
    """Knows the three miners of `tests.agents`, on a clock that stands still."""
    made = await Recorder.open(database, SetClock(), IDENTITY)
    await made.declare(MINERS)
    return made
