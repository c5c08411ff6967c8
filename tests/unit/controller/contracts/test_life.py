"""The tables of a contract's and an incident's life."""

import itertools
from pathlib import Path

import pytest

from controller.contracts.life import (
    DECISIONS,
    FINAL,
    INCIDENTS,
    TABLE,
    TERMINAL,
    ContractEvent,
    ContractState,
    IncidentEvent,
    IncidentState,
    NoSuchStepError,
    WayOut,
    incident_after,
    step,
)
from controller.contracts.life_page import life_page

PAGE = Path(__file__).parents[4] / "docs" / "diagrams" / "contract.md"
FUNDING = [one for one in ContractEvent if one.name.startswith("FUNDED_")]


def test_the_page_in_the_documents_is_that_of_the_tables() -> None:
    """Written anew by `python -m controller.contracts.life_page > FILE`."""
    assert PAGE.read_text(encoding="utf-8") == life_page()


def test_every_event_of_the_chain_has_an_entry_in_every_state() -> None:
    for state in ContractState:
        assert TABLE[state].keys() >= set(ContractEvent) - DECISIONS, state


@pytest.mark.parametrize(
    ("state", "event"), list(itertools.product(sorted(TERMINAL), ContractEvent))
)
def test_a_state_that_ends_never_changes(state: ContractState, event: ContractEvent) -> None:
    if event in DECISIONS:
        with pytest.raises(NoSuchStepError):
            step(state, event)
    else:
        assert step(state, event).state is state


def test_only_finality_deep_facts_end_a_contract_that_has_a_coin() -> None:
    for state, row in TABLE.items():
        for event, move in row.items():
            if move.state in TERMINAL and state not in TERMINAL:
                before_any_coin = state in {ContractState.DRAFT, ContractState.APPROVED}
                withdrawn = event is ContractEvent.WITHDRAWN and before_any_coin
                assert event in FINAL or withdrawn, (state, event)


def test_every_state_is_reached_and_every_open_one_can_end() -> None:
    reached = {ContractState.DRAFT}
    for _ in ContractState:
        reached |= {move.state for state in reached for move in TABLE[state].values()}
    assert reached == set(ContractState)
    for state in set(ContractState) - TERMINAL:
        assert any(move.state in TERMINAL for move in TABLE[state].values())


@pytest.mark.parametrize("state", sorted(TERMINAL))
@pytest.mark.parametrize("event", FUNDING)
def test_late_funding_opens_an_incident_and_goes_back(
    state: ContractState, event: ContractEvent
) -> None:
    move = step(state, event)
    assert move.opens_incident
    assert move.way_out is WayOut.RETURN_ALL


@pytest.mark.parametrize("state", list(ContractState))
def test_a_reorganisation_below_finality_opens_an_incident_in_every_state(
    state: ContractState,
) -> None:
    move = step(state, ContractEvent.DEEP_REORGANISATION)
    assert move.opens_incident
    assert move.state is state


@pytest.mark.parametrize("event", [ContractEvent.FUNDED_ABOVE, ContractEvent.FUNDED_AGAIN])
def test_too_much_is_returned_without_stopping_the_contract(event: ContractEvent) -> None:
    move = step(ContractState.FUNDED, event)
    assert (move.state, move.way_out) == (ContractState.FUNDED, WayOut.RETURN_SURPLUS)


def test_a_decision_that_the_state_does_not_allow_is_refused_by_name() -> None:
    with pytest.raises(NoSuchStepError, match="approved in state funded"):
        step(ContractState.FUNDED, ContractEvent.APPROVED)


def test_an_incident_ends_with_final_facts_or_by_acceptance_and_stays_so() -> None:
    for event in IncidentEvent:
        assert incident_after(IncidentState.RESOLVED, event) is IncidentState.RESOLVED
    for state, row in INCIDENTS.items():
        for event, to in row.items():
            if to is IncidentState.RESOLVED:
                assert event.name.endswith("_FINAL") or event is IncidentEvent.ACCEPTED, state
