"""Drafting: what is chosen, what replays, and what is refused."""

import random
from dataclasses import replace

import pytest

from controller.contracts.context import (
    Coin,
    ExecutionContext,
    FeeMarket,
    Move,
    Request,
    Tip,
    UnconfirmedParent,
)
from controller.contracts.contract import CHANGE, Contract, build, with_limits
from controller.contracts.destinations import Paid, check_paid
from controller.contracts.errors import (
    DraftError,
    InsufficientCoinsError,
    LimitExceededError,
    NotYetError,
    UnsatisfiedError,
)
from controller.contracts.execute import execute
from controller.contracts.meter import Limits
from controller.contracts.parties import OutputForm
from controller.contracts.simulate import Moment, simulate
from controller.contracts.templates import decaying_treasury, escrow, revenue_share, treasury, vault
from controller.wallets.feerates import vsize
from shared.bitcoin import address
from shared.bitcoin.transaction import OutPoint, TxOut
from tests.integration.controller.contracts.parameters import (
    NETWORK,
    OTHER_ADDRESS,
    SOME_ADDRESS,
    everyone,
    payee_script,
    people,
)

A, B, C, D, E = people()[:5]
INTENT = bytes(range(16))
PAYEE = payee_script(random.Random(1))


def coin(number: int, amount_sat: int = 100_000, part: str = "treasury") -> Coin:
    point = OutPoint(bytes((number,)) * 32, 0)
    return Coin(point, amount_sat, part, number, height=100, is_final=True)


def context(contract: Contract, *coins: Coin, height: int = 1_000) -> ExecutionContext:
    approvals = frozenset((INTENT,))
    market = FeeMarket(2_000)
    return ExecutionContext(Tip(height, 0), coins, market, everyone(contract), approvals, 3, 1_000)


def pay(amount_sat: int = 30_000, **changes: object) -> Request:
    request = Request(50_000, 2_000, INTENT, (TxOut(amount_sat, PAYEE),))
    return replace(request, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def plain() -> Contract:
    return build(treasury.TEMPLATE, treasury.TreasuryTerms(2, (A, B, C)), NETWORK)


@pytest.fixture(scope="module")
def decaying() -> Contract:
    decay = decaying_treasury.Decay(500, 1, (C, D))
    terms = decaying_treasury.DecayingTreasuryTerms(E, 2, (A, B), (decay,), 1_000)
    return build(decaying_treasury.TEMPLATE, terms, NETWORK)


def test_the_same_input_gives_the_same_bytes_whatever_the_order_of_coins(plain: Contract) -> None:
    coins = [coin(number) for number in range(1, 8)]
    request = pay(250_000)
    first = execute(plain, "spend", context(plain, *coins), request)
    random.Random(3).shuffle(coins)
    again = execute(plain, "spend", context(plain, *coins), request)
    assert first.transaction.serialise() == again.transaction.serialise()
    assert len(first.coins) == 3


def test_order_and_lock_time_are_drawn_from_the_intent(plain: Contract) -> None:
    places, locks = set(), set()
    for number in range(60):
        intent = bytes((number,)) * 16
        here = replace(context(plain, coin(1)), approvals=frozenset((intent,)))
        draft = execute(plain, "spend", here, pay(intent=intent))
        places.add(draft.change)
        locks.add(draft.transaction.lock_time)
    assert places == {0, 1}
    assert max(locks) == 1_000
    assert min(locks) >= 901
    assert len(locks) > 2


def test_amounts_come_out_even_and_the_fee_is_the_markets(plain: Contract) -> None:
    draft = execute(plain, "spend", context(plain, coin(1)), pay())
    total = sum(one.amount_sat for one in draft.transaction.outputs)
    assert total + draft.fee_sat == 100_000
    assert draft.fee_sat == 2 * vsize(draft.usage.weight)
    assert draft.transaction.version == 3


def test_change_that_would_be_dust_is_left_to_the_miners(plain: Contract) -> None:
    draft = execute(plain, "spend", context(plain, coin(1)), pay(99_500))
    assert draft.change is None
    assert draft.fee_sat == 500
    assert len(draft.transaction.outputs) == 1


def test_coins_that_do_not_suffice_are_named_with_their_sum(plain: Contract) -> None:
    with pytest.raises(InsufficientCoinsError) as refused:
        execute(plain, "spend", context(plain, coin(1), coin(2)), pay(300_000))
    assert refused.value.available_sat == 200_000


def test_named_coins_are_spent_and_others_added_where_they_do_not_suffice(plain: Contract) -> None:
    small, large = coin(1, 40_000), coin(2, 500_000)
    here = context(plain, small, large)
    alone = execute(plain, "spend", here, pay(30_000, spend=(small.outpoint,)))
    assert alone.coins == (small,)
    both = execute(plain, "spend", here, pay(60_000, spend=(small.outpoint,)))
    assert set(both.coins) == {small, large}
    with pytest.raises(DraftError, match="spend"):
        execute(plain, "spend", here, pay(spend=(OutPoint(bytes(32), 0),)))


def test_coins_that_are_neither_final_nor_own_change_are_not_spent(plain: Contract) -> None:
    fresh = replace(coin(1), is_final=False)
    with pytest.raises(InsufficientCoinsError):
        execute(plain, "spend", context(plain, fresh), pay())
    on_change_branch = replace(fresh, branch=CHANGE)
    with pytest.raises(InsufficientCoinsError):
        execute(plain, "spend", context(plain, on_change_branch), pay())


def test_a_child_has_its_parents_version_and_no_more_than_a_truc_childs_size(
    plain: Contract,
) -> None:
    def change(version: int, number: int = 1) -> Coin:
        parent = UnconfirmedParent(bytes((number,)) * 32, version)
        return Coin(
            OutPoint(parent.txid, 0),
            100_000,
            "treasury",
            1,
            CHANGE,
            is_own_change=True,
            parent=parent,
        )

    for version in (2, 3):
        draft = execute(plain, "spend", context(plain, change(version)), pay())
        assert draft.transaction.version == version
    with pytest.raises(DraftError, match="versions"):
        execute(plain, "spend", context(plain, change(2), change(3, 2)), pay(150_000))
    many = [coin(number, 5_000) for number in range(2, 40)]
    with pytest.raises(LimitExceededError) as refused:
        execute(plain, "spend", context(plain, change(3), *many), pay(200_000))
    assert refused.value.limit == "truc_child_weight"


def test_a_batch_too_large_for_truc_is_of_version_2(plain: Contract) -> None:
    outputs = tuple(TxOut(1_000 + number, PAYEE) for number in range(400))
    here = context(plain, coin(1, 10_000_000))
    request = Request(200_000, 2_000, INTENT, outputs)
    assert execute(plain, "spend", here, request).transaction.version == 2


def test_a_coinbase_waits_for_a_hundred_blocks(plain: Contract) -> None:
    mined = replace(coin(1), is_coinbase=True)
    with pytest.raises(NotYetError) as refused:
        execute(plain, "spend", context(plain, mined, height=198), pay())
    assert refused.value.earliest_height == 200
    assert execute(plain, "spend", context(plain, mined, height=199), pay()).coins == (mined,)


def test_after_the_deadline_nothing_is_drafted(plain: Contract) -> None:
    late = replace(context(plain, coin(1)), now_ms=2_000)
    with pytest.raises(DraftError, match="deadline_ms"):
        execute(plain, "spend", late, pay())


def test_too_few_signers_are_named(plain: Contract) -> None:
    alone = replace(context(plain, coin(1)), available=frozenset((A.name,)))
    with pytest.raises(UnsatisfiedError, match=A.name):
        execute(plain, "spend", alone, pay())


@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        (Limits(max_weight=700), "weight"),
        (Limits(max_sigop_cost=2), "sigop_cost"),
        (Limits(max_inputs=1), "inputs"),
        (Limits(max_outputs=1), "outputs"),
        (Limits(max_witness_items=2), "witness_items"),
        (Limits(max_element_bytes=71), "element_bytes"),
        (Limits(max_script_bytes=104), "script_bytes"),
        (Limits(max_fee_sat=300), "fee_sat"),
        (Limits(max_feerate_sat_per_kvb=1_999), "feerate_sat_per_kvb"),
    ],
)
def test_what_exceeds_a_limit_is_refused_with_the_limits_name_and_the_figure(
    limits: Limits, limit: str
) -> None:
    terms = treasury.TreasuryTerms(2, (A, B, C), OutputForm.WSH)
    contract = with_limits(build(treasury.TEMPLATE, terms, NETWORK), limits)
    with pytest.raises(LimitExceededError) as refused:
        execute(contract, "spend", context(contract, coin(1), coin(2)), pay(150_000))
    assert refused.value.limit == limit
    assert refused.value.figure > refused.value.limit_value


def test_a_tapscripts_signature_budget_is_measured_and_has_a_floor(plain: Contract) -> None:
    draft = execute(plain, "spend", context(plain, coin(1)), pay())
    assert draft.usage.tapscript_budget == 221
    strict = with_limits(plain, Limits(min_tapscript_budget=222))
    with pytest.raises(LimitExceededError, match="tapscript_budget: 221"):
        execute(strict, "spend", context(strict, coin(1)), pay())


def test_dust_and_a_fee_above_the_ceiling_are_refused(plain: Contract) -> None:
    with pytest.raises(LimitExceededError, match="at least 294"):
        execute(
            plain,
            "spend",
            context(plain, coin(1)),
            replace(pay(), outputs=(TxOut(293, b"\x00\x14" + bytes(20)),)),
        )
    with pytest.raises(LimitExceededError, match="fee_ceiling_sat"):
        execute(plain, "spend", context(plain, coin(1)), pay(fee_ceiling_sat=10))


def test_a_vault_pays_nothing_but_its_waiting_room() -> None:
    contract = build(vault.TEMPLATE, vault.VaultTerms(2, (A, B), 1, (C,), 144), NETWORK)
    here = context(contract, coin(1, part=vault.VAULT))
    with pytest.raises(DraftError, match="unvault does not pay there"):
        execute(contract, "unvault", here, pay())
    with pytest.raises(DraftError, match="unvault does not pay there"):
        execute(contract, "unvault", here, Request(50_000, 2_000, INTENT, sweep_to=PAYEE))
    wrong = Request(50_000, 2_000, INTENT, moves=(Move(vault.VAULT, 1, 30_000),))
    with pytest.raises(DraftError, match="unvaulting"):
        execute(contract, "unvault", here, wrong)
    right = Request(50_000, 2_000, INTENT, moves=(Move(vault.WAITING, 1, 30_000),))
    draft = execute(contract, "unvault", here, right)
    scripts = {one.script_pubkey for one in draft.transaction.outputs}
    waiting = contract.output(vault.WAITING, 1).script_pubkey
    assert scripts == {waiting, contract.output(vault.VAULT, 3, CHANGE).script_pubkey}
    assert len(draft.own_outputs) == 2
    path = contract.path("unvault")
    own = {
        place: vault.VAULT if place == draft.change else vault.WAITING
        for place in draft.own_outputs
    }
    check_paid(path, Paid.of(draft.transaction, own, path))
    del own[draft.change or 0]
    with pytest.raises(DraftError, match="unvault does not pay there"):
        check_paid(path, Paid.of(draft.transaction, own, path))


def test_an_arbiters_award_goes_to_the_agreed_address_only() -> None:
    terms = escrow.EscrowTerms(A, B, C, SOME_ADDRESS, OTHER_ADDRESS, 100_000, 900)
    contract = build(escrow.TEMPLATE, terms, NETWORK)
    here = context(contract, coin(1, part=escrow.PART))
    sellers = address.decode(OTHER_ADDRESS, NETWORK)
    award = Request(50_000, 2_000, INTENT, sweep_to=sellers)
    (paid,) = execute(contract, "award-seller", here, award).transaction.outputs
    assert paid.script_pubkey == sellers
    with pytest.raises(DraftError, match="award-buyer does not pay there"):
        execute(contract, "award-buyer", here, award)
    with pytest.raises(DraftError, match="award-seller does not pay there"):
        execute(contract, "award-seller", here, pay())
    assert execute(contract, "release", here, pay()).change is not None


def test_a_revenue_share_pays_exactly_the_split() -> None:
    def payee(name: str, number: int) -> revenue_share.Payee:
        script = payee_script(random.Random(number))
        return revenue_share.Payee(name, address.encode(script, NETWORK))

    terms = revenue_share.RevenueShareTerms(
        payee("host", 1), E, 2, (A, B, C), (payee("x", 2), payee("y", 3)), 100_000, 330, 1_000
    )
    contract = build(revenue_share.TEMPLATE, terms, NETWORK)
    here = context(contract, coin(1, 1_000_000, revenue_share.PART))
    made = revenue_share.split(terms, NETWORK, 100_001, {"x": 2, "y": 1})
    assert [one.amount_sat for one in made.outputs] == [10_000, 60_001, 30_000]
    request = Request(50_000, 2_000, INTENT, made.outputs)
    assert execute(contract, "split", here, request, made).change is not None
    with pytest.raises(DraftError, match="split does not pay there"):
        execute(contract, "split", here, request)
    changed = (replace(made.outputs[0], amount_sat=10_001), *made.outputs[1:])
    with pytest.raises(DraftError, match="exactly the outputs"):
        execute(contract, "split", here, replace(request, outputs=changed), made)


def test_a_simulation_says_who_signs_what_it_costs_and_how_long_it_waits(
    decaying: Contract,
) -> None:
    here = replace(context(decaying, coin(1), height=300), available=frozenset((A.name,)))
    soon = simulate(decaying, "recovery", here, pay(), Moment(300, 4_000))
    assert not soon.is_possible
    assert (soon.blocks_left, soon.earliest_height) == (299, 600)
    assert soon.problem is not None
    assert "299 blocks" in soon.problem
    assert soon.missing == (C.name, D.name)
    then = simulate(decaying, "recovery", here, pay(), Moment(599, 4_000))
    assert then.is_possible
    assert then.blocks_left == 0
    assert then.fee_sat is not None
    assert then.vsize is not None
    assert then.fee_sat == 4 * then.vsize
    assert then.change_sat == 100_000 - 30_000 - then.fee_sat
    dear = simulate(decaying, "recovery", here, pay(), Moment(599, 8_000))
    assert dear.fee_sat == 2 * then.fee_sat
    spend = simulate(decaying, "spend", here, pay(), Moment(300, 4_000))
    assert spend.missing == (B.name,)


def test_a_simulation_of_what_cannot_be_says_why(decaying: Contract) -> None:
    here = context(decaying, coin(1))
    much = simulate(decaying, "spend", here, pay(500_000), Moment(1_000, 4_000))
    assert much.problem is not None
    assert "100000 sat" in much.problem
    nothing = simulate(decaying, "spend", context(decaying), pay(), Moment(1_000, 4_000))
    assert (nothing.earliest_height, nothing.blocks_left) == (None, None)
    assert not nothing.is_possible
