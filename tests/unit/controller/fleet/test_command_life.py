"""The table of a command's life."""

import itertools
from pathlib import Path

import pytest

from controller.fleet.command_life import (
    TERMINAL,
    TRANSITIONS,
    CommandEvent,
    CommandState,
    after,
    diagram_page,
)

PAGE = Path(__file__).parents[4] / "docs" / "diagrams" / "controller-command.md"


def test_the_diagram_in_the_documents_is_that_of_the_table() -> None:
    """Written anew by `python -m controller.fleet.command_life > FILE`."""
    assert PAGE.read_text(encoding="utf-8") == diagram_page()


@pytest.mark.parametrize(
    ("state", "event"), list(itertools.product(sorted(TERMINAL), CommandEvent))
)
def test_a_terminal_state_never_changes(state: CommandState, event: CommandEvent) -> None:
    assert after(state, event) is state


def test_every_state_can_be_reached_and_every_open_one_can_end() -> None:
    reached = {CommandState.QUEUED}
    for _ in CommandState:
        reached |= {target for state in reached for target in TRANSITIONS.get(state, {}).values()}
    assert reached == set(CommandState)
    for state in TRANSITIONS:
        assert any(target in TERMINAL for target in TRANSITIONS[state].values())


def test_only_a_command_that_was_never_sent_expires_by_the_controllers_own_judgement() -> None:
    ends = {state: after(state, CommandEvent.TIME_IS_UP) for state in TRANSITIONS}
    assert ends == {
        CommandState.QUEUED: CommandState.EXPIRED,
        CommandState.SENT: CommandState.UNANSWERED,
        CommandState.UNANSWERED: CommandState.UNANSWERED,
        CommandState.ACCEPTED: CommandState.ACCEPTED,
    }
