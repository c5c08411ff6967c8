"""A fresh host for tests: where it joins and what it says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from agent.identity.join import JoinPlan, Surroundings
from shared.enrolment import parse_token
from tests.enrolments import Interface


@dataclass(slots=True)
class FreshHost:
    """A folder for a host's files."""

    folder: Path
    said: list[str] = field(default_factory=list)

    def plan(self, interface: Interface, token: str) -> JoinPlan:
        """The join that `bes node new` would have printed."""
        return JoinPlan(
            url=interface.url,
            ca_fingerprint=interface.fingerprint,
            token=parse_token(token),
            config_dir=self.folder / "config",
            data_dir=self.folder / "data",
        )

    def around(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Surroundings:
        """The world, in which pauses are short."""
        return Surroundings(now=now, tell=self.said.append, pause_s=lambda _seconds: 0.05)
