"""The table of a command's life, and its picture."""

from pathlib import Path

import pytest

from agent.commands import diagram
from agent.commands.lifecycle import (
    INITIAL,
    OPEN,
    TERMINAL_STATES,
    TRANSITIONS,
    CommandEvent,
    CommandState,
    NoSuchTransitionError,
    event_of,
    mermaid,
    step,
)
from shared.messages.reply import ReplyState


def test_no_transition_leaves_a_terminal_state() -> None:
    assert not {before for before, _ in TRANSITIONS} & TERMINAL_STATES
    for state in TERMINAL_STATES:
        for event in CommandEvent:
            with pytest.raises(NoSuchTransitionError):
                step(state, event)


def test_every_state_can_be_reached_and_every_open_one_can_end() -> None:
    reached = {INITIAL} | set(TRANSITIONS.values())
    assert reached == set(CommandState)
    for state in OPEN:
        ends = {after for (before, _), after in TRANSITIONS.items() if before is state}
        assert ends & TERMINAL_STATES


def test_a_device_is_touched_only_after_acting_was_written() -> None:
    touched = {CommandState.DONE, CommandState.FAILED, CommandState.UNVERIFIED}
    for (before, _), after in TRANSITIONS.items():
        if after in touched:
            assert before is CommandState.ACTING


def test_each_answer_leads_to_the_state_of_its_name() -> None:
    for reply in ReplyState:
        befores = [b for (b, event) in TRANSITIONS if event is event_of(reply)]
        assert {step(b, event_of(reply)).value for b in befores} == {reply.value}


def test_the_diagram_in_the_documents_is_not_stale() -> None:
    assert diagram.main(["--check"]) == 0


def test_the_diagram_has_every_transition() -> None:
    for (before, event), after in TRANSITIONS.items():
        assert f"{before.value} --> {after.value}: {event.value}" in mermaid()


def test_a_stale_page_is_noticed_and_written_anew(tmp_path: Path) -> None:
    page = tmp_path / "diagrams" / "command.md"
    assert diagram.main(["--check", "--page", str(page)]) == 1
    assert diagram.main(["--page", str(page)]) == 0
    assert diagram.main(["--check", "--page", str(page)]) == 0
    page.write_text(page.read_text(encoding="utf-8") + "more", encoding="utf-8")
    assert diagram.main(["--check", "--page", str(page)]) == 1
