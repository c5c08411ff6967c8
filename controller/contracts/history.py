"""What was signed so far, and which of it can be in one chain together. Pure.

Two signed transactions exclude each other when one of them, or something that it descends from,
spends an output that the other, or something that that one descends from, spends too. Nothing else
keeps a signed transaction from being mined: what was signed may be broadcast by anyone, at any
time, also after we replaced it, and return in a reorganisation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from controller.contracts.intents import Kind
from shared.bitcoin.transaction import OutPoint, Transaction


@dataclass(frozen=True)
class Signed:
    """A transaction that was signed, or is to be: what for, and which outputs are own change.

    `intents` are the ids of the payments it carries out, the target's for a child or a cancel, the
    sweep's own. `own` are the places of its own outputs; `fee_sat` is what it leaves to the miners.
    """

    kind: Kind
    intents: frozenset[bytes]
    transaction: Transaction
    own: frozenset[int]
    fee_sat: int

    @property
    def txid(self) -> bytes:
        """The id, in wire order."""
        return self.transaction.txid

    @cached_property
    def spends(self) -> frozenset[OutPoint]:
        """The outputs that it spends."""
        return frozenset(one.outpoint for one in self.transaction.inputs)

    @cached_property
    def change(self) -> frozenset[OutPoint]:
        """Its own outputs."""
        return frozenset(self.transaction.outpoint(place) for place in self.own)


@dataclass(frozen=True)
class History:
    """Everything signed so far with these keys, in order, and which of it is finality-deep.

    `final_coins` are the wallet's own coins that are finality-deep and not made by what is here.
    """

    signed: tuple[Signed, ...] = ()
    final: frozenset[bytes] = frozenset()
    final_coins: frozenset[OutPoint] = frozenset()

    @cached_property
    def by_txid(self) -> Mapping[bytes, Signed]:
        """The signed transactions by id."""
        return {one.txid: one for one in self.signed}

    @cached_property
    def _by_intent(self) -> Mapping[bytes, tuple[Signed, ...]]:
        found: dict[bytes, list[Signed]] = {}
        for one in self.signed:
            for intent in one.intents:
                found.setdefault(intent, []).append(one)
        return {intent: tuple(those) for intent, those in found.items()}

    @cached_property
    def _final_spender(self) -> Mapping[OutPoint, bytes]:
        final = [self.by_txid[txid] for txid in self.final if txid in self.by_txid]
        return {spent: one.txid for one in final for spent in one.spends}

    def of(self, intent: bytes) -> tuple[Signed, ...]:
        """Everything signed for that intent, in order."""
        return self._by_intent.get(intent, ())

    def lineage(self, one: Signed) -> dict[bytes, Signed]:
        """It and every signed transaction that it descends from, by id."""
        found = {one.txid: one}
        waiting = [one]
        while waiting:
            for spent in waiting.pop().spends:
                parent = self.by_txid.get(spent.txid)
                if parent is not None and parent.txid not in found:
                    found[parent.txid] = parent
                    waiting.append(parent)
        return found

    def exclude(self, first: Signed, second: Signed) -> bool:
        """Whether no chain can have both: see the module."""
        spender: dict[OutPoint, bytes] = {}
        for txid, one in (self.lineage(first) | self.lineage(second)).items():
            for spent in one.spends:
                if spender.setdefault(spent, txid) != txid:
                    return True
        return False

    def is_spent(self, point: OutPoint) -> bool:
        """Whether something finality-deep spends it."""
        return point in self._final_spender

    def is_dead(self, one: Signed) -> bool:
        """Whether something finality-deep spends what it, or what it descends from, spends.

        `final` has the ancestors of what is in it, as a chain does.
        """
        return any(
            self._final_spender.get(spent, txid) != txid
            for txid, each in self.lineage(one).items()
            for spent in each.spends
        )

    def with_signed(self, one: Signed) -> "History":
        """The history after signing it."""
        return History((*self.signed, one), self.final, self.final_coins)
