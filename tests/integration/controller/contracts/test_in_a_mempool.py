"""What is drafted relays: every path, replacements, children and cancels, under Core's policy."""

import random
from collections.abc import Iterator

import pytest

from controller.chain.embedded.chain import EmbeddedChain
from controller.chain.engine import verify
from controller.contracts.context import (
    Coin,
    ExecutionContext,
    FeeMarket,
    Request,
    Tip,
    UnconfirmedParent,
)
from controller.contracts.contract import CHANGE, Contract, build
from controller.contracts.draft import Draft, as_payment_output
from controller.contracts.execute import execute
from controller.contracts.history import History, Signed
from controller.contracts.intents import Cancel, Child, Payment
from controller.contracts.parties import OutputForm
from controller.contracts.requests import (
    cancel_request,
    child_request,
    payment_request,
    proposal_of,
    scripts_of,
)
from controller.contracts.rules import judge_cancel, judge_child, judge_payment
from controller.contracts.signing import finish, sign
from controller.contracts.templates import treasury
from shared.approvals.intents import PaymentIntent
from shared.bitcoin.hashes import sha256
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.integration.controller.contracts.parameters import (
    APPROVALS,
    DRAWN,
    INTENT,
    MARKET,
    NETWORK,
    NOW_MS,
    SECRET,
    draw_contract,
    draw_request,
    everyone,
    keys_of,
    names_of,
    payee_script,
    people,
    signed,
)

AMOUNT_SAT = 1_000_000
MATURE = 101
HIGHEST = 260


@pytest.fixture
def chain() -> Iterator[EmbeddedChain]:
    made = EmbeddedChain()
    made.mine(MATURE)
    yield made
    made.close()


def _fund(chain: EmbeddedChain, scripts: list[bytes]) -> list[OutPoint]:
    first = chain.block(chain.header_at(1).ref.block_hash).transactions[0]
    outputs = tuple(TxOut(AMOUNT_SAT, one) for one in scripts)
    transaction = Transaction(2, (TxIn(first.outpoint(0)),), outputs)
    chain.mine_with([transaction])
    return [transaction.outpoint(place) for place in range(len(scripts))]


@pytest.mark.parametrize("template", DRAWN)
def test_every_path_enters_the_mempool_when_its_time_has_come(
    template: str, chain: EmbeddedChain
) -> None:
    draw = random.Random(f"{template} in a mempool")
    contract = draw_contract(template, draw, HIGHEST)
    paths = list(contract.paths.values())
    points = _fund(chain, [contract.output(one.part, 2).script_pubkey for one in paths])
    made_at = chain.tip().height
    paths_at = sorted(
        zip(paths, points, strict=True), key=lambda one: one[0].earliest_height(made_at)
    )
    for path, point in paths_at:
        coin = Coin(point, AMOUNT_SAT, path.part, 2, height=made_at, is_final=True)
        earliest = path.earliest_height(made_at)
        tip = Tip(max(earliest - 1, chain.tip().height), 0)
        context = ExecutionContext(
            tip, (coin,), MARKET, everyone(contract), APPROVALS, draw.randrange(9), NOW_MS
        )
        request, split = draw_request(contract, path, draw, AMOUNT_SAT)
        draft = execute(contract, path.name, context, request, split)
        made = signed(draft, names_of(draft), draw)
        transaction = finish(draft, made, verify, {sha256(SECRET): SECRET})
        if chain.tip().height < tip.height:
            chain.mine(tip.height - 1 - chain.tip().height)
            assert chain.test_accept(transaction).reason in {"non-final", "non-BIP68-final"}
            chain.mine()
        verdict = chain.broadcast(transaction)
        assert verdict.is_accepted, verdict
        assert verdict.fee_sat == draft.fee_sat


class Desk:
    """A treasury whose transactions go to the mempool."""

    def __init__(self, chain: EmbeddedChain) -> None:
        self.chain = chain
        terms = treasury.TreasuryTerms(2, people()[:3], OutputForm.WSH)
        self.contract: Contract = build(treasury.TEMPLATE, terms, NETWORK)
        places = range(3)
        scripts = [self.contract.output(treasury.PART, one).script_pubkey for one in places]
        points = _fund(chain, scripts)
        height = chain.tip().height
        self.coins = tuple(
            Coin(point, AMOUNT_SAT, treasury.PART, place, height=height, is_final=True)
            for place, point in zip(places, points, strict=True)
        )
        self.history = History(final_coins=frozenset(points))

    def draft(self, request: Request, sat_per_kvb: int) -> Draft:
        change = tuple(
            Coin(
                point,
                one.transaction.outputs[point.vout].amount_sat,
                treasury.PART,
                7,
                CHANGE,
                is_own_change=True,
                parent=UnconfirmedParent(one.txid, one.transaction.version),
            )
            for one in self.history.signed
            for point in one.change
        )
        context = ExecutionContext(
            Tip(self.chain.tip().height, 0),
            self.coins + change,
            FeeMarket(sat_per_kvb),
            everyone(self.contract),
            frozenset((request.intent, *request.batched)),
            7,
            NOW_MS,
        )
        return execute(self.contract, "spend", context, request)

    def send(self, draft: Draft, judged: Signed) -> Signed:
        made = sign(draft, keys_of(everyone(self.contract)), bytes(32))
        transaction = finish(draft, made, verify)
        verdict = self.chain.broadcast(transaction)
        assert verdict.is_accepted, verdict
        done = Signed(judged.kind, judged.intents, transaction, judged.own, judged.fee_sat)
        self.history = self.history.with_signed(done)
        return done

    def pay(self, payment: Payment, sat_per_kvb: int) -> Signed:
        draft = self.draft(payment_request([payment], NETWORK, self.history), sat_per_kvb)
        scripts = scripts_of([payment], NETWORK)
        judged = judge_payment(proposal_of(draft), [payment], scripts, self.history, NOW_MS)
        return self.send(draft, judged)


def _payment() -> Payment:
    output = as_payment_output(TxOut(300_000, payee_script(random.Random(1))), NETWORK)
    return Payment(PaymentIntent("desk", (output,), "spend", 50_000, 9_000, INTENT))


def test_a_payment_is_replaced_hurried_along_and_cancelled_in_the_mempool(
    chain: EmbeddedChain,
) -> None:
    desk, payment = Desk(chain), _payment()
    first = desk.pay(payment, 1_000)
    second = desk.pay(payment, 1_000)
    assert chain.pool_txids() == {second.txid}
    assert second.fee_sat > first.fee_sat

    draft = desk.draft(child_request(second, [payment]), 6_000)
    child = judge_child(proposal_of(draft), Child(INTENT, second.txid), [payment], desk.history)
    hurried = desk.send(draft, child)
    assert chain.pool_txids() == {second.txid, hurried.txid}

    cancel = Cancel("desk", "treasury", 60_000, 9_000, bytes((9,)) * 16, INTENT)
    draft = desk.draft(cancel_request(cancel, desk.history), 1_000)
    made = desk.send(draft, judge_cancel(proposal_of(draft), cancel, desk.history, NOW_MS))
    assert chain.pool_txids() == {made.txid}
    assert made.fee_sat > second.fee_sat + hurried.fee_sat


def test_after_a_reorganisation_either_payment_may_be_mined_and_never_both(
    chain: EmbeddedChain,
) -> None:
    desk, payment = Desk(chain), _payment()
    first = desk.pay(payment, 1_000)
    chain.mine(1)
    assert chain.unspent(first.transaction.outpoint(0), with_mempool=False) is not None
    chain.reorganise(chain.tip().height - 1, 2)
    second = desk.pay(payment, 9_000)
    assert second.txid in chain.pool_txids()
    assert first.txid not in chain.pool_txids()
    chain.mine(1)
    assert chain.test_accept(first.transaction).reason is not None
