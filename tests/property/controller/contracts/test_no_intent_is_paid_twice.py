"""Random histories: whatever of the signed transactions is mined, no intent is paid twice."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.contracts.errors import SigningRefusedError
from controller.contracts.history import History, Signed
from controller.contracts.intents import Cancel, Child, Kind, Payment, Sweep
from controller.contracts.rules import (
    Proposal,
    judge_cancel,
    judge_child,
    judge_payment,
    judge_sweep,
)
from shared.approvals.intents import PaymentIntent, PaymentOutput
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut

OWN = b"\x51\x20" + bytes(32)
COIN_SAT = 100_000
CEILING_SAT = 30_000
INTENTS = 3
MOST_SIGNED = 9


def _is_own(output: TxOut) -> bool:
    return output.script_pubkey == OWN


def _script(number: int) -> bytes:
    return b"\x00\x14" + bytes((number,)) * 20


def _payment(number: int) -> tuple[Payment, tuple[TxOut, ...]]:
    output = PaymentOutput(1_000 + number, script=_script(number))
    approved = PaymentIntent(
        "wallet", (output,), "spend", CEILING_SAT, 10_000, bytes((number,)) * 16
    )
    return Payment(approved), (TxOut(1_000 + number, _script(number)),)


PAYMENTS = [_payment(number) for number in range(1, INTENTS + 1)]
SCRIPTS = {payment.id: outputs for payment, outputs in PAYMENTS}


@dataclass
class World:
    """A wallet under attack: whoever asks proposes anything, the rules decide."""

    draw: random.Random
    history: History
    coins: list[OutPoint]
    amounts: dict[OutPoint, int] = field(default_factory=dict)
    refusals: int = 0

    def pool(self) -> list[OutPoint]:
        """Own coins and own change, spent or not: an attacker offers either."""
        return self.coins + [point for one in self.history.signed for point in one.change]

    def inputs(self, wanted: list[Signed]) -> list[OutPoint]:
        """Some coins, mostly with an input of each of these."""
        chosen = set(self.draw.sample(self.coins, self.draw.randint(0, 1)))
        for one in wanted:
            if self.draw.random() < 0.8:
                chosen.add(self.draw.choice(sorted(one.spends)))
        if not chosen or self.draw.random() < 0.4:
            chosen.add(self.draw.choice(sorted(self.pool())))
        return sorted(chosen)

    def proposal(self, inputs: list[OutPoint], outputs: tuple[TxOut, ...]) -> Proposal:
        """These inputs, these outputs, a random fee, the rest to own change."""
        total = sum(self.amounts[one] for one in inputs)
        fee = self.draw.randint(100, CEILING_SAT * 2 // 3)
        change = total - fee - sum(one.amount_sat for one in outputs)
        cut = change // 3 if self.draw.random() < 0.5 else 0
        own = [TxOut(part, OWN) for part in (cut, change - cut) if part > 0]
        made = (*outputs, *own)
        transaction = Transaction(3, tuple(map(TxIn, inputs)), made, self.draw.randrange(500_000))
        prevouts = [TxOut(self.amounts[one], OWN) for one in inputs]
        return Proposal(transaction, prevouts, _is_own)

    def ask(self) -> None:
        """One proposal of a random kind; signed where the rules allow it."""
        kind = self.draw.choice([Kind.PAYMENT, Kind.PAYMENT, *Kind])
        try:
            signed = self._judged(kind)
        except SigningRefusedError:
            self.refusals += 1
            return
        if signed is not None and signed.txid not in self.history.by_txid:
            self.history = self.history.with_signed(signed)
            for point in signed.change:
                output = signed.transaction.outputs[point.vout]
                self.amounts[point] = output.amount_sat

    def _judged(self, kind: Kind) -> Signed | None:
        if kind is Kind.PAYMENT:
            chosen = self.draw.sample(PAYMENTS, self.draw.choice([1, 1, 2]))
            earlier = [one for payment, _ in chosen for one in self.history.of(payment.id)]
            outputs = tuple(output for _, made in chosen for output in made)
            proposal = self.proposal(self.inputs(earlier), outputs)
            return judge_payment(
                proposal, [payment for payment, _ in chosen], SCRIPTS, self.history, 1
            )
        target = self.draw.choice(PAYMENTS)[0]
        earlier = list(self.history.of(target.id))
        if kind is Kind.CANCEL:
            cancel = Cancel("wallet", "treasury", CEILING_SAT, 10_000, bytes(16), target.id)
            return judge_cancel(self.proposal(self.inputs(earlier), ()), cancel, self.history, 1)
        if kind is Kind.SWEEP:
            inputs = self.inputs([])
            sweep = Sweep(
                "wallet",
                "treasury",
                CEILING_SAT,
                10_000,
                self.draw.randbytes(16),
                "spend",
                tuple(inputs),
                OWN,
            )
            return judge_sweep(self.proposal(inputs, ()), sweep, self.history, 1)
        parents = [one for one in earlier if one.kind is Kind.PAYMENT and one.change]
        if kind is not Kind.CHILD or not parents:
            return None
        parent = self.draw.choice(parents)
        inputs = self.inputs([parent])
        if self.draw.random() < 0.8:
            inputs = self.draw.sample(
                sorted(parent.change), self.draw.randint(1, len(parent.change))
            )
        payments = [payment for payment, _ in PAYMENTS if payment.id in parent.intents]
        child = Child(target.id, parent.txid)
        return judge_child(self.proposal(inputs, ()), child, payments, self.history)

    def bury(self) -> None:
        """A random chain becomes finality-deep, upon what is so already."""
        chains = [one for one in _chains(self) if self.history.final <= one]
        if chains:
            self.history = History(
                self.history.signed, self.draw.choice(chains), self.history.final_coins
            )


def _chains(world: World) -> Iterator[frozenset[bytes]]:
    """Every set of signed transactions that one chain can have, found without the rules' help."""
    signed = world.history.signed
    for size in range(len(signed) + 1):
        for chosen in itertools.combinations(signed, size):
            known = {one.txid for one in chosen}
            spent = [point for one in chosen for point in one.spends]
            complete = all(point in world.coins or point.txid in known for point in spent)
            if complete and len(set(spent)) == len(spent):
                yield frozenset(known)


def _grow(seed: int, steps: int) -> World:
    draw = random.Random(seed)
    coins = [OutPoint(bytes((number,)) * 32, 0) for number in range(1, 5)]
    world = World(draw, History(final_coins=frozenset(coins)), coins)
    world.amounts = dict.fromkeys(coins, COIN_SAT)
    for _ in range(steps):
        if len(world.history.signed) >= MOST_SIGNED:
            break
        world.ask()
        if draw.random() < 0.05:
            world.bury()
    return world


def _check(world: World) -> None:
    by_txid = world.history.by_txid
    for chain in _chains(world):
        for payment, _ in PAYMENTS:
            mined = [by_txid[txid] for txid in chain if payment.id in by_txid[txid].intents]
            paying = [one for one in mined if one.kind is Kind.PAYMENT]
            assert len(paying) <= 1, "paid twice"
            if paying:
                assert not [one for one in mined if one.kind is Kind.CANCEL], "paid and cancelled"
                ceiling = CEILING_SAT * len(paying[0].intents)
                fees = sum(one.fee_sat for one in mined)
                assert fees <= ceiling, "more fee than approved"


@settings(max_examples=60)
@given(seed=st.integers(0, 2**64), steps=st.integers(10, 60))
def test_no_intent_is_paid_twice_whatever_is_mined(seed: int, steps: int) -> None:
    _check(_grow(seed, steps))


@pytest.mark.soak
@settings(max_examples=5_000)
@given(seed=st.integers(0, 2**64), steps=st.integers(10, 80))
def test_no_intent_is_paid_twice_in_five_thousand_histories(seed: int, steps: int) -> None:
    _check(_grow(seed, steps))


def test_the_histories_are_worth_the_name() -> None:
    """Enough is signed of every kind, and enough is refused, for the property to say something."""
    worlds = [_grow(seed, 60) for seed in range(25)]
    signed = [one for world in worlds for one in world.history.signed]
    assert {one.kind for one in signed} == {Kind.PAYMENT, Kind.CHILD, Kind.CANCEL, Kind.SWEEP}
    assert sum(world.refusals for world in worlds) > len(signed)
    replaced = [
        world
        for world in worlds
        for payment, _ in PAYMENTS
        if sum(one.kind is Kind.PAYMENT for one in world.history.of(payment.id)) > 1
    ]
    assert len(replaced) > 10
