"""The table of a request's life, and its picture."""

from pathlib import Path

import pytest

from shared.approvals.diagram import diagram_page
from shared.approvals.life import (
    INITIAL,
    OPEN,
    TERMINAL_STATES,
    TRANSITIONS,
    ApprovalEvent,
    ApprovalState,
    NoSuchTransitionError,
    mermaid,
    step,
)

PAGE = Path(__file__).resolve().parents[4] / "docs" / "diagrams" / "approval.md"


def test_no_transition_leaves_a_terminal_state() -> None:
    assert set(ApprovalState) == OPEN | TERMINAL_STATES
    for state in TERMINAL_STATES:
        for event in ApprovalEvent:
            with pytest.raises(NoSuchTransitionError):
                step(state, event)


def test_only_an_approved_request_is_used_and_only_a_quorum_approves() -> None:
    into = {after: [(b, e) for (b, e), a in TRANSITIONS.items() if a is after] for after in OPEN}
    assert into[ApprovalState.APPROVED] == [(ApprovalState.PENDING, ApprovalEvent.QUORUM)]
    used = [pair for pair, after in TRANSITIONS.items() if after is ApprovalState.USED]
    assert used == [(ApprovalState.APPROVED, ApprovalEvent.USE)]


def test_every_state_can_be_reached() -> None:
    assert {INITIAL} | set(TRANSITIONS.values()) == set(ApprovalState)


def test_the_diagram_in_the_documents_is_not_stale() -> None:
    assert PAGE.read_text(encoding="utf-8") == diagram_page()
    for (before, event), after in TRANSITIONS.items():
        assert f"{before.value} --> {after.value}: {event.value}" in mermaid()
