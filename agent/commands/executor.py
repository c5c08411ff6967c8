"""What a role offers to the commands that reach it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.messages.actions import Action
from shared.messages.command import Command
from shared.messages.reply import TERMINAL, ReplyState


@dataclass(frozen=True, slots=True)
class Outcome:
    """How carrying out a command ended, as the reply will say it.

    `state` is done, refused, failed or unverified; `problem` a fixed code of at most 40
    characters ("" when there is none), `text` its words, `readback` what was read afterwards by
    metric name. `ValueError` for any other state.
    """

    state: ReplyState
    problem: str = ""
    text: str = ""
    readback: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.state not in TERMINAL or self.state is ReplyState.EXPIRED:
            raise ValueError(f"an outcome cannot be {self.state}")


class Executor(Protocol):
    """A role's hands."""

    def why_not(self, command: Command) -> str | None:
        """Why the command must not be carried out now; None when it may.

        Looks at known devices, preconditions on the last readings and lock-outs; pure and quick.
        """
        ...

    async def carry_out(self, command_id: str, action: Action) -> Outcome:
        """Acts and reads back. May be cancelled at any point by a shutdown."""
        ...

    async def recover(self, command_id: str, action: Action) -> Outcome:
        """Ends a command that a crash cut off: reads the device back before anything is written."""
        ...
