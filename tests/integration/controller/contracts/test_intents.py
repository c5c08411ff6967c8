"""Intents from the approval to the signed transaction, judged by the rules and by Core's engine."""

import random
from dataclasses import dataclass, replace

import pytest

from controller.chain.engine import verify
from controller.contracts.context import Coin, ExecutionContext, FeeMarket, Tip, UnconfirmedParent
from controller.contracts.contract import CHANGE, Contract, build
from controller.contracts.draft import Draft, as_payment_output
from controller.contracts.errors import DraftError, LimitExceededError, SigningRefusedError
from controller.contracts.execute import execute
from controller.contracts.history import History, Signed
from controller.contracts.intents import Cancel, Child, Payment, ProofOfFunds, Sweep
from controller.contracts.parties import OutputForm
from controller.contracts.proof import draft_proof
from controller.contracts.requests import (
    cancel_request,
    child_request,
    payment_request,
    proposal_of,
    scripts_of,
    sweep_request,
)
from controller.contracts.rules import (
    Proposal,
    judge_cancel,
    judge_child,
    judge_payment,
    judge_proof,
    judge_sweep,
)
from controller.contracts.signing import finish, sign
from controller.contracts.templates import treasury
from shared.approvals.intents import PaymentIntent
from shared.approvals.payment import deviation
from shared.bitcoin.transaction import OutPoint, TxOut
from tests.integration.controller.contracts.parameters import (
    NETWORK,
    NOW_MS,
    everyone,
    keys_of,
    payee_script,
    people,
)

WALLET = "treasury-1"
DEADLINE_MS = 9_000
TIP = Tip(500, 1_700_000_000)


def payment(number: int, amount_sat: int = 50_000, ceiling_sat: int = 20_000) -> Payment:
    output = TxOut(amount_sat, payee_script(random.Random(number)))
    return Payment(
        PaymentIntent(
            WALLET,
            (as_payment_output(output, NETWORK),),
            "spend",
            ceiling_sat,
            DEADLINE_MS,
            bytes((number,)) * 16,
        )
    )


@dataclass
class Office:
    """A treasury with coins, and what was signed with its keys."""

    contract: Contract
    coins: tuple[Coin, ...]
    history: History
    approvals: frozenset[bytes]

    def context(self, sat_per_kvb: int = 2_000) -> ExecutionContext:
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
        return ExecutionContext(
            TIP,
            self.coins + change,
            FeeMarket(sat_per_kvb),
            everyone(self.contract),
            self.approvals,
            7,
            NOW_MS,
        )

    def sign(self, draft: Draft, judged: Signed) -> Signed:
        """Signs what was judged; Core's engine accepts it."""
        made = sign(draft, keys_of(everyone(self.contract)), bytes(32))
        transaction = finish(draft, made, verify)
        done = replace(judged, transaction=transaction)
        self.history = self.history.with_signed(done)
        return done

    def pay(self, *payments: Payment, sat_per_kvb: int = 2_000, blind: bool = False) -> Signed:
        """Drafts, judges and signs; `blind` drafts as if nothing had been signed before."""
        history = None if blind else self.history
        request = payment_request(payments, NETWORK, history)
        draft = execute(self.contract, "spend", self.context(sat_per_kvb), request)
        scripts = scripts_of(payments, NETWORK)
        judged = judge_payment(proposal_of(draft), payments, scripts, self.history, NOW_MS)
        return self.sign(draft, judged)


@pytest.fixture
def office() -> Office:
    terms = treasury.TreasuryTerms(2, people()[:3], OutputForm.TR)
    contract = build(treasury.TEMPLATE, terms, NETWORK)
    coins = tuple(
        Coin(
            OutPoint(bytes((number,)) * 32, 0),
            200_000 - number,
            treasury.PART,
            number,
            height=100,
            is_final=True,
        )
        for number in range(1, 6)
    )
    final = frozenset(one.outpoint for one in coins)
    approvals = frozenset(bytes((number,)) * 16 for number in range(1, 10))
    return Office(contract, coins, History(final_coins=final), approvals)


def test_a_draft_is_what_was_approved_and_a_deviation_is_seen(office: Office) -> None:
    one = payment(1)
    draft = execute(office.contract, "spend", office.context(), payment_request([one], NETWORK))
    assert deviation(one.approved, draft.as_approved(WALLET), NOW_MS) is None
    other = payment(1, amount_sat=50_001)
    assert deviation(other.approved, draft.as_approved(WALLET), NOW_MS) is not None


def test_an_intent_that_nobody_approved_is_not_drafted(office: Office) -> None:
    office.approvals = frozenset()
    with pytest.raises(DraftError, match="approvals"):
        office.pay(payment(1))


def test_a_fee_bump_excludes_what_it_replaces_and_pays_for_it(office: Office) -> None:
    first = office.pay(payment(1))
    second = office.pay(payment(1), sat_per_kvb=2_100)
    assert office.history.exclude(first, second)
    vsize = second.transaction.vsize
    assert second.fee_sat >= first.fee_sat + vsize
    assert second.transaction.version == 3


def test_a_second_payment_that_could_be_mined_beside_the_first_is_refused(office: Office) -> None:
    first = office.pay(payment(1))
    office.coins = tuple(one for one in office.coins if one.outpoint not in first.spends)
    with pytest.raises(SigningRefusedError) as refused:
        office.pay(payment(1), blind=True)
    assert refused.value.rule == "conflict"


def test_a_batch_excludes_what_was_signed_for_each_of_its_intents(office: Office) -> None:
    first = office.pay(payment(1))
    coins, office.coins = office.coins, office.coins[1:]
    second, office.coins = office.pay(payment(2)), coins
    assert not office.history.exclude(first, second)
    batch = office.pay(payment(1), payment(2))
    assert batch.fee_sat >= first.fee_sat + second.fee_sat + batch.transaction.vsize
    assert office.history.exclude(batch, first)
    assert office.history.exclude(batch, second)
    assert len(batch.intents) == 2


def test_a_child_lifts_its_parent_within_the_payments_own_ceiling(office: Office) -> None:
    one = payment(1)
    parent = office.pay(one)
    request = child_request(parent, [one])
    draft = execute(office.contract, "spend", office.context(10_000), request)
    child = judge_child(proposal_of(draft), Child(one.id, parent.txid), [one], office.history)
    signed = office.sign(draft, child)
    both = signed.transaction.weight + parent.transaction.weight
    assert (signed.fee_sat + parent.fee_sat) * 4_000 >= 10_000 * both
    assert signed.transaction.version == parent.transaction.version == 3
    with pytest.raises(LimitExceededError, match="fee_ceiling_sat"):
        execute(office.contract, "spend", office.context(200_000), request)


def test_a_child_that_pays_anybody_or_spends_another_coin_is_refused(office: Office) -> None:
    one = payment(1)
    parent = office.pay(one)
    draft = execute(office.contract, "spend", office.context(), child_request(parent, [one]))
    child = Child(one.id, parent.txid)
    theirs = Proposal(draft.transaction, draft.prevouts, lambda _: False)
    with pytest.raises(SigningRefusedError, match="outputs"):
        judge_child(theirs, child, [one], office.history)
    other = execute(
        office.contract,
        "spend",
        office.context(),
        replace(child_request(parent, [one]), spend=(office.coins[4].outpoint,)),
    )
    with pytest.raises(SigningRefusedError, match="coins"):
        judge_child(proposal_of(other), child, [one], office.history)


def test_a_cancel_excludes_every_payment_signed_for_its_target(office: Office) -> None:
    one = payment(1)
    first = office.pay(one)
    second = office.pay(one, sat_per_kvb=5_000)
    cancel = Cancel(WALLET, "treasury", 50_000, DEADLINE_MS, bytes((9,)) * 16, one.id)
    draft = execute(
        office.contract, "spend", office.context(8_000), cancel_request(cancel, office.history)
    )
    made = office.sign(draft, judge_cancel(proposal_of(draft), cancel, office.history, NOW_MS))
    assert office.history.exclude(made, first)
    assert office.history.exclude(made, second)
    assert cancel.approved.terms[0] == ("target", one.id.hex())


def test_once_a_cancel_is_final_its_target_is_never_paid(office: Office) -> None:
    one = payment(1)
    office.pay(one)
    cancel = Cancel(WALLET, "treasury", 50_000, DEADLINE_MS, bytes((9,)) * 16, one.id)
    draft = execute(
        office.contract, "spend", office.context(8_000), cancel_request(cancel, office.history)
    )
    made = office.sign(draft, judge_cancel(proposal_of(draft), cancel, office.history, NOW_MS))
    office.history = replace(office.history, final=frozenset((made.txid,)))
    office.coins = tuple(c for c in office.coins if c.outpoint not in made.spends)
    with pytest.raises(SigningRefusedError, match="intent"):
        office.pay(one, blind=True)


def test_the_rest_of_a_cancelled_batch_is_paid_from_the_cancels_change(office: Office) -> None:
    """The batch can never be mined any more, and what pays its other intent proves it."""
    batch = office.pay(payment(1), payment(2))
    cancel = Cancel(WALLET, "treasury", 50_000, DEADLINE_MS, bytes((9,)) * 16, payment(1).id)
    draft = execute(
        office.contract, "spend", office.context(8_000), cancel_request(cancel, office.history)
    )
    made = office.sign(draft, judge_cancel(proposal_of(draft), cancel, office.history, NOW_MS))
    office.history = replace(office.history, final=frozenset((made.txid,)))
    office.coins = tuple(one for one in office.coins if one.outpoint not in made.spends)
    with pytest.raises(SigningRefusedError, match="conflict"):
        office.pay(payment(2), blind=True)
    paid = office.pay(payment(2))
    assert paid.spends >= made.change
    assert office.history.exclude(paid, batch)


def test_a_payment_from_the_change_of_a_replacement_is_allowed(office: Office) -> None:
    """Its parent was replaced: what descended from the old parent can never be mined beside it."""
    parent = office.pay(payment(1))
    coins, office.coins = office.coins, ()
    spends_change = office.pay(payment(2), sat_per_kvb=2_000)
    office.coins = coins
    assert spends_change.spends & parent.change
    replacement = office.pay(payment(1), sat_per_kvb=9_000)
    again = replace(payment_request([payment(2)], NETWORK), spend=tuple(replacement.change))
    draft = execute(office.contract, "spend", office.context(3_000), again)
    scripts = scripts_of([payment(2)], NETWORK)
    judged = judge_payment(proposal_of(draft), [payment(2)], scripts, office.history, NOW_MS)
    assert office.history.exclude(office.sign(draft, judged), spends_change)


def test_two_children_that_could_both_be_mined_are_refused(office: Office) -> None:
    """Each alone is under the ceiling; both together would not be."""
    one = payment(1)
    parent = office.pay(one)
    outputs = parent.transaction.outputs
    change = next(iter(parent.change))
    half = outputs[change.vout].amount_sat // 2
    cut = [output for place, output in enumerate(outputs) if place != change.vout]
    own = outputs[change.vout].script_pubkey
    transaction = replace(parent.transaction, outputs=(*cut, TxOut(half, own), TxOut(half, own)))
    parent = replace(parent, transaction=transaction, own=frozenset((1, 2)))
    office.history = History((parent,), final_coins=office.history.final_coins)
    context = office.context()
    children = [
        execute(
            office.contract,
            "spend",
            context,
            replace(child_request(parent, [one]), spend=(point,)),
        )
        for point in sorted(parent.change)
    ]
    child = Child(one.id, parent.txid)
    first = judge_child(proposal_of(children[0]), child, [one], office.history)
    office.sign(children[0], first)
    with pytest.raises(SigningRefusedError, match="shares no input"):
        judge_child(proposal_of(children[1]), child, [one], office.history)


def test_a_sweep_takes_exactly_the_approved_coins(office: Office) -> None:
    coins = tuple(one.outpoint for one in office.coins[:2])
    script = payee_script(random.Random(5))
    sweep = Sweep(WALLET, "treasury", 20_000, DEADLINE_MS, bytes((8,)) * 16, "spend", coins, script)
    draft = execute(office.contract, "spend", office.context(), sweep_request(sweep))
    made = office.sign(draft, judge_sweep(proposal_of(draft), sweep, office.history, NOW_MS))
    assert made.spends == frozenset(coins)
    fewer = replace(sweep, coins=coins[:1])
    with pytest.raises(SigningRefusedError, match="coins"):
        judge_sweep(proposal_of(draft), fewer, History(final_coins=frozenset(coins)), NOW_MS)


def test_a_proof_of_funds_is_signed_and_no_chain_can_have_it(office: Office) -> None:
    coins = tuple(one.outpoint for one in office.coins)
    proof = ProofOfFunds(
        WALLET, "treasury", 0, DEADLINE_MS, bytes((7,)) * 16, "for the auditor", coins
    )
    draft = draft_proof(office.contract, "spend", office.context(), proof, (1, 0))
    own = {one.script_pubkey for one in draft.spent}
    proposal = Proposal(
        draft.transaction, draft.prevouts, lambda output: output.script_pubkey in own
    )
    judge_proof(proposal, proof)
    made = finish(draft, sign(draft, keys_of(everyone(office.contract)), bytes(32)), verify)
    assert made.inputs[0].outpoint not in coins
    with pytest.raises(SigningRefusedError, match="message"):
        judge_proof(proposal, replace(proof, message="for somebody else"))
    with pytest.raises(SigningRefusedError, match="coins"):
        judge_proof(proposal, replace(proof, coins=coins[:-1]))
    real = execute(
        office.contract, "spend", office.context(), payment_request([payment(1)], NETWORK)
    )
    with pytest.raises(SigningRefusedError):
        judge_proof(proposal_of(real), proof)
