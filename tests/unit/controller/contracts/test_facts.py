"""From readings of the chain to the events of a contract's life."""

from dataclasses import replace

import pytest

from controller.contracts.facts import CoinFact, Reading, SpendFact, funding, observe
from controller.contracts.life import ContractEvent, ContractState, step
from controller.contracts.paths import Outcome
from shared.bitcoin.transaction import OutPoint

AGREED = {"escrow": 1_000}
_E = ContractEvent


def coin(number: int, amount_sat: int = 1_000, spend: SpendFact | None = None) -> CoinFact:
    return CoinFact(OutPoint(bytes((number,)) * 32, 0), "escrow", amount_sat, spend)


def spend(outcome: Outcome | None, *, is_final: bool = False, number: int = 9) -> SpendFact:
    return SpendFact(bytes((number,)) * 32, outcome, is_final)


NOTHING = Reading()
FULL = Reading((coin(1),))


@pytest.mark.parametrize(
    ("before", "after", "events"),
    [
        (NOTHING, Reading((coin(1, 400),)), [_E.FUNDED_IN_PART]),
        (NOTHING, FULL, [_E.FUNDED_IN_FULL]),
        (Reading((coin(1, 400),)), Reading((coin(1, 400), coin(2, 600))), [_E.FUNDED_IN_FULL]),
        (NOTHING, Reading((coin(1, 1_001),)), [_E.FUNDED_ABOVE]),
        (FULL, Reading((coin(1), coin(2))), [_E.FUNDED_AGAIN]),
        (FULL, NOTHING, [_E.FUNDING_UNDONE]),
        (Reading((coin(1, 400), coin(2, 600))), Reading((coin(1, 400),)), [_E.FUNDING_CUT]),
        (FULL, Reading((coin(1, spend=spend(Outcome.SETTLES)),)), [_E.SPEND_SEEN]),
        (FULL, Reading((coin(1, spend=spend(None)),)), [_E.UNKNOWN_SPEND]),
        (Reading((coin(1, spend=spend(Outcome.SETTLES)),)), FULL, [_E.SPEND_UNDONE]),
        (NOTHING, Reading(past_deadline=True), [_E.DEADLINE_FINAL]),
        (FULL, replace(FULL, deep_reorganisations=1), [_E.DEEP_REORGANISATION]),
        (FULL, FULL, []),
    ],
)
def test_two_readings_give_the_events_between_them(
    before: Reading, after: Reading, events: list[ContractEvent]
) -> None:
    assert list(observe(before, after, AGREED)) == events


@pytest.mark.parametrize(
    ("outcome", "to_successor", "event"),
    [
        (Outcome.SETTLES, False, _E.SETTLED_FINAL),
        (Outcome.REFUNDS, False, _E.REFUND_FINAL),
        (Outcome.CONTINUES, False, _E.EMPTIED_FINAL),
        (Outcome.CONTINUES, True, _E.MOVED_FINAL),
        (None, False, _E.LOSS_FINAL),
    ],
)
def test_the_last_coins_final_spend_says_how_the_contract_ends(
    outcome: Outcome | None, to_successor: bool, event: ContractEvent
) -> None:
    seen = SpendFact(bytes(32), outcome, is_final=True, to_successor=to_successor)
    assert event in observe(FULL, Reading((coin(1, spend=seen),)), AGREED)


def test_a_controller_that_was_down_catches_up_in_one_step() -> None:
    """Funded, spent and final since the last reading."""
    after = Reading((coin(1, spend=spend(Outcome.REFUNDS, is_final=True)),))
    state = ContractState.APPROVED
    for event in observe(NOTHING, after, AGREED):
        state = step(state, event).state
    assert state is ContractState.REFUNDED


def test_a_spend_still_under_way_has_the_last_word_when_another_is_undone() -> None:
    first, second = spend(Outcome.SETTLES, number=7), spend(Outcome.SETTLES, number=8)
    before = Reading((coin(1, spend=first), coin(2, spend=second)))
    after = Reading((coin(1), coin(2, spend=second)))
    state = ContractState.SPENDING
    for event in observe(before, after, AGREED):
        state = step(state, event).state
    assert state is ContractState.SPENDING


def test_a_reorganisation_that_takes_funding_and_spend_leads_back_to_waiting() -> None:
    before = Reading((coin(1, spend=spend(Outcome.SETTLES)),))
    state = ContractState.SPENDING
    for event in observe(before, NOTHING, AGREED):
        state = step(state, event).state
    assert state is ContractState.APPROVED


def test_a_part_that_takes_any_amount_is_funded_by_its_first_coin() -> None:
    one = CoinFact(OutPoint(bytes(32), 0), "treasury", 5)
    assert observe(NOTHING, Reading((one,)), {"treasury": None}) == (_E.FUNDED_IN_FULL,)
    assert funding(NOTHING, {"treasury": None}).name == "NONE"
