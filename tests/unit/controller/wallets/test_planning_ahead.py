"""Batches, consolidation, the refresh calendar, indices, tiers."""

import pytest

from controller.errors import ConflictError
from controller.wallets.batching import BatchRules, Payment, batches
from controller.wallets.consolidation import ConsolidationRules, plan_consolidation
from controller.wallets.indices import gap_scan, next_index, watched_until
from controller.wallets.refresh import (
    Held,
    Opening,
    RefreshRules,
    Urgency,
    calendar,
    to_move,
)
from controller.wallets.tiers import Outflow, OutwardLimit, Tier, why_not
from shared.errors import BadInputError
from tests.wallet_chain import MadeUpScripts
from tests.wallet_coins import coin, costs, outpoint, pay

HOUR_MS = 3_600_000


def payment(
    reference: str, at_ms: int = 0, deadline_ms: int = 100 * HOUR_MS, **of: object
) -> Payment:
    fields = {"organisation": "own", "wallet_id": 1, **of}
    return Payment(
        reference,
        str(fields["organisation"]),
        int(str(fields["wallet_id"])),
        pay(10_000)[0],
        at_ms,
        deadline_ms,
    )


RULES = BatchRules(longest_wait_ms=6 * HOUR_MS, lead_ms=2 * HOUR_MS, most_payments=3)


def test_a_batch_waits_for_company_until_its_first_payment_may_wait_no_longer() -> None:
    [batch] = batches([payment("a", HOUR_MS), payment("b", 2 * HOUR_MS)], RULES)
    assert [one.reference for one in batch.payments] == ["a", "b"]
    assert (batch.is_due(7 * HOUR_MS - 1), batch.is_due(7 * HOUR_MS)) == (False, True)
    [urgent] = batches([payment("a", 0, 3 * HOUR_MS)], RULES)
    assert urgent.due_ms == HOUR_MS


def test_a_full_batch_goes_out_at_once_and_every_payment_is_in_one_batch() -> None:
    waiting = [payment(f"p{number}", number) for number in range(7)]
    made = batches(waiting, RULES)
    assert [len(batch.payments) for batch in made] == [3, 3, 1]
    assert [batch.is_full for batch in made] == [True, True, False]
    assert sorted(one.reference for batch in made for one in batch.payments) == [
        one.reference for one in waiting
    ]


def test_payments_of_two_organisations_or_wallets_are_never_in_one_batch() -> None:
    made = batches(
        [payment("a"), payment("b", organisation="guest"), payment("c", wallet_id=2)], RULES
    )
    assert len(made) == 3


def test_a_reference_that_stands_twice_is_refused() -> None:
    with pytest.raises(BadInputError, match="twice"):
        batches([payment("a"), payment("a", 1)], RULES)


def test_coins_are_joined_only_while_fees_are_low_and_it_saves() -> None:
    coins = [coin(number, 5_000 + number) for number in range(60)]
    rules = ConsolidationRules(keep_coins=10)
    assert plan_consolidation(coins, costs(6_000, 10_000), rules) is None
    plan = plan_consolidation(coins, costs(1_000, 10_000), rules)
    assert plan is not None
    assert len(plan.coins) == 50
    assert plan.output_sat + plan.fee_sat == sum(one.amount_sat for one in plan.coins)
    assert plan.saved_sat > 0
    assert plan.coins[0].amount_sat == 5_000
    assert plan_consolidation(coins[:15], costs(1_000, 10_000), rules) is None


def test_joining_two_coins_costs_more_than_it_saves() -> None:
    rules = ConsolidationRules(fewest_coins=2, keep_coins=0)
    coins = [coin(number, 50_000) for number in range(20)]
    assert plan_consolidation(coins[:2], costs(5_000, 10_000), rules) is None
    assert plan_consolidation(coins, costs(5_000, 10_000), rules) is not None


def test_a_consolidation_stays_within_the_weight_of_its_version() -> None:
    coins = [coin(number, 50_000) for number in range(400)]
    plan = plan_consolidation(coins, costs(1_000, 10_000), ConsolidationRules())
    assert plan is not None
    assert 39_000 < plan.weight <= 40_000


def test_a_coin_is_moved_before_its_recovery_path_opens() -> None:
    coins = [
        Held(outpoint(1), 1, 1_000, (Opening(older_blocks=65_535), Opening(after_height=90_000))),
        Held(outpoint(2), 1, 2_000, (Opening(older_blocks=10_000),)),
        Held(outpoint(3), 1, 2_000, (Opening(after_height=11_999),)),
        Held(outpoint(4), 1, 2_000, ()),
    ]
    entries = calendar(coins, RefreshRules(lead_blocks=4_000, alarm_blocks=1_000))
    assert [entry.outpoint for entry in entries] == [outpoint(2), outpoint(3), outpoint(1)]
    assert [entry.open_height for entry in entries] == [12_000, 12_000, 66_535]
    assert [entry.moves_on for entry in entries] == [True, False, True]
    first = entries[0]
    assert [first.urgency(height) for height in (7_999, 8_000, 11_000, 12_000)] == [
        Urgency.RESTING,
        Urgency.DUE,
        Urgency.ALARM,
        Urgency.OPEN,
    ]
    assert to_move(entries, 8_000, fees_are_low=False) == []
    assert len(to_move(entries, 8_000, fees_are_low=True)) == 2
    assert len(to_move(entries, 11_500, fees_are_low=False)) == 2


@pytest.mark.parametrize("blocks", [0, 65_536, -1])
def test_more_blocks_than_a_sequence_number_holds_are_refused(blocks: int) -> None:
    with pytest.raises(BadInputError, match="65535"):
        Opening(older_blocks=blocks)


def test_a_path_opens_in_one_way_and_by_height() -> None:
    with pytest.raises(BadInputError):
        Opening()
    with pytest.raises(BadInputError):
        Opening(after_height=500_000_000)
    with pytest.raises(BadInputError):
        RefreshRules(lead_blocks=10, alarm_blocks=20)


def test_a_scan_finds_what_lies_within_the_gap_and_nothing_behind_it() -> None:
    scripts = MadeUpScripts("scan")
    used = {scripts.script_at(0, index) for index in (0, 4, 9, 15)}
    found = [place.index for place in gap_scan(scripts, 0, used.__contains__, 5)]
    assert found == [0, 4, 9]
    assert [place.index for place in gap_scan(scripts, 0, used.__contains__, 6)] == [0, 4, 9, 15]
    assert list(gap_scan(scripts, 1, used.__contains__, 5)) == []


def test_what_is_given_out_a_scan_would_find() -> None:
    used, given_out = {3}, set(range(3)) | {4, 5}
    assert next_index(used, given_out, 3) == 6
    with pytest.raises(ConflictError):
        next_index(used, given_out | {6}, 3)
    assert watched_until(None, 20) == 20
    with pytest.raises(BadInputError):
        next_index(used, given_out, 0)


def test_coins_move_inwards_freely_and_outwards_within_limits() -> None:
    limits = {Tier.HOT: OutwardLimit(1_000, 3_000, HOUR_MS)}
    before = [Outflow(0, 2_500), Outflow(HOUR_MS, 1_500)]

    def refused(source: Tier, target: Tier | None, amount_sat: int) -> str | None:
        return why_not(source, target, amount_sat, HOUR_MS + 1, limits=limits, before=before)

    assert refused(Tier.HOT, Tier.COLD, 10**12) is None
    assert refused(Tier.WARM, Tier.WARM, 10**12) is None
    assert refused(Tier.HOT, None, 1_000) is None
    assert "at once" in str(refused(Tier.HOT, None, 1_001))
    assert "no limit is set" in str(refused(Tier.COLD, Tier.HOT, 1))
    before.append(Outflow(HOUR_MS, 600))
    assert "900 sat are left" in str(refused(Tier.HOT, None, 1_000))
