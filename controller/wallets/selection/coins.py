"""What is chosen from: coins of one organisation, in order, so that a choice need not sort them.

Coins are kept by the weight of their input, and by amount within it: at any feerate the coins of
one weight have their effective values in the order of their amounts. So a pool is sorted once, when
a wallet is opened, and a choice among 100,000 coins looks at few of them.
"""

import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter

from controller.wallets.coin_life import CoinState
from shared.bitcoin.transaction import OutPoint
from shared.errors import BadInputError

UNITS = 4_000
"""Effective values are in 1/4000 satoshi, in which a feerate in sat/kvB times a weight is whole."""

SELECTABLE = frozenset({CoinState.PENDING, CoinState.CONFIRMED, CoinState.FINAL})
"""No setting lets a payment choose a coin of another state."""
FINAL_AND_OWN_CHANGE = frozenset({CoinState.FINAL, CoinState.PENDING})

_amount = attrgetter("amount_sat")


@dataclass(frozen=True, slots=True)
class PendingParent:
    """The unconfirmed transaction that a coin is an output of.

    `ancestors` counts the unconfirmed transactions that it rests on itself, `has_child` says
    whether another unconfirmed transaction spends an output of it.
    """

    txid: bytes
    version: int
    ancestors: int = 0
    has_child: bool = False


@dataclass(frozen=True, slots=True)
class Spendable:
    """A coin: `input_weight` is the most its input can weigh, by sigops too (BIP431 counts so).

    `pending_parent` is set exactly where its transaction is unconfirmed, `is_own_change` where we
    made that transaction. `version` is the row's, to reserve it by compare-and-set.
    """

    outpoint: OutPoint
    amount_sat: int
    input_weight: int
    organisation: str
    state: CoinState
    is_own_change: bool = False
    pending_parent: PendingParent | None = None
    version: int = 1

    def effective(self, sat_per_kvb: int) -> int:
        """What it adds above the fee of its own input, in 1/4000 satoshi."""
        return UNITS * self.amount_sat - sat_per_kvb * self.input_weight


class CoinPool:
    """The coins of one organisation that a payment may choose from.

    A coin of another organisation, of a state that is not `allowed`, or pending and not our own
    change, is refused with BadInputError: what is not in here cannot be chosen.
    """

    def __init__(
        self,
        organisation: str,
        coins: Iterable[Spendable] = (),
        allowed: frozenset[CoinState] = FINAL_AND_OWN_CHANGE,
    ) -> None:
        self.organisation = organisation
        self.allowed = allowed
        self._coins: dict[OutPoint, Spendable] = {}
        for coin in coins:
            self._admit(coin)
        self._pending: dict[OutPoint, Spendable] = {}
        self._by_weight: dict[int, list[Spendable]] = {}
        for coin in self._coins.values():
            if coin.pending_parent is None:
                self._by_weight.setdefault(coin.input_weight, []).append(coin)
            else:
                self._pending[coin.outpoint] = coin
        for group in self._by_weight.values():
            group.sort(key=_amount)

    def _admit(self, coin: Spendable) -> None:
        if coin.state not in self.allowed or not self.allowed <= SELECTABLE:
            states = ", ".join(sorted(self.allowed & SELECTABLE))
            raise BadInputError("coins", f"{coin.outpoint.hex} is {coin.state}", states)
        if coin.pending_parent is not None and not coin.is_own_change:
            raise BadInputError(
                "coins", f"{coin.outpoint.hex} is pending and not ours", "own change"
            )
        if coin.organisation != self.organisation:
            raise BadInputError(
                "coins",
                f"{coin.outpoint.hex} is of {coin.organisation}",
                f"coins of {self.organisation}",
            )
        if (coin.state is CoinState.PENDING) != (coin.pending_parent is not None):
            raise BadInputError(
                "coins", f"{coin.outpoint.hex} is {coin.state}", "a parent where it is pending"
            )
        if coin.outpoint in self._coins:
            raise BadInputError("coins", f"{coin.outpoint.hex} twice", "each coin once")
        self._coins[coin.outpoint] = coin

    def __len__(self) -> int:
        return len(self._coins)

    def __contains__(self, outpoint: OutPoint) -> bool:
        return outpoint in self._coins

    def __iter__(self) -> Iterator[Spendable]:
        return iter(self._coins.values())

    def get(self, outpoint: OutPoint) -> Spendable | None:
        """The coin, None where it is not here."""
        return self._coins.get(outpoint)

    def add(self, coin: Spendable) -> None:
        """Adds a coin, which is not here yet."""
        self._admit(coin)
        if coin.pending_parent is not None:
            self._pending[coin.outpoint] = coin
            return
        insort(self._by_weight.setdefault(coin.input_weight, []), coin, key=_amount)

    def discard(self, outpoint: OutPoint) -> None:
        """Takes a coin out, where it is here."""
        coin = self._coins.pop(outpoint, None)
        if coin is None or self._pending.pop(outpoint, None) is not None:
            return
        group = self._by_weight[coin.input_weight]
        place = bisect_left(group, coin.amount_sat, key=_amount)
        while group[place].outpoint != outpoint:
            place += 1
        del group[place]
        if not group:
            del self._by_weight[coin.input_weight]

    @property
    def pending(self) -> list[Spendable]:
        """The coins of unconfirmed transactions, which every other method leaves out."""
        return list(self._pending.values())

    @property
    def settled(self) -> list[list[Spendable]]:
        """The coins of each weight, smallest amount first. Not to be changed."""
        return list(self._by_weight.values())

    def largest_first(self, sat_per_kvb: int) -> Iterator[Spendable]:
        """All coins by effective value, largest first, made as they are asked for."""
        return heapq.merge(
            *(reversed(group) for group in self._by_weight.values()),
            key=lambda coin: coin.effective(sat_per_kvb),
            reverse=True,
        )

    def window(self, upper: int, sat_per_kvb: int, most: int) -> list[Spendable]:
        """At most `most` coins whose effective value is above 0 and not above `upper`.

        All of them where they are so few; otherwise of each weight the largest half of its share,
        and the other half spread evenly over the smaller ones.
        """
        spans = [self._span(group, upper, sat_per_kvb) for group in self._by_weight.values()]
        total = sum(len(span) for span in spans)
        if total <= most:
            return [group[at] for group, span in self._paired(spans) for at in span]
        found: list[Spendable] = []
        for group, span in self._paired(spans):
            share = max(2, most * len(span) // total)
            if len(span) <= share:
                found += [group[at] for at in span]
                continue
            top, rest = share // 2, share - share // 2
            found += [group[at] for at in span[-top:]]
            below = span[:-top]
            found += [group[below[number * len(below) // rest]] for number in range(rest)]
        return found

    def _paired(self, spans: list[range]) -> Iterator[tuple[list[Spendable], range]]:
        return zip(self._by_weight.values(), spans, strict=True)

    @staticmethod
    def _span(group: list[Spendable], upper: int, sat_per_kvb: int) -> range:
        cost = sat_per_kvb * group[0].input_weight
        first = bisect_right(group, cost // UNITS, key=_amount)
        last = bisect_right(group, (upper + cost) // UNITS, key=_amount)
        return range(first, max(first, last))

    def smallest_above(
        self, lower: int, sat_per_kvb: int, without: frozenset[OutPoint]
    ) -> list[Spendable]:
        """Of each weight the smallest coin whose effective value reaches `lower`."""
        found = []
        for group in self._by_weight.values():
            needed = -(-(lower + sat_per_kvb * group[0].input_weight) // UNITS)
            place = bisect_left(group, needed, key=_amount)
            while place < len(group) and group[place].outpoint in without:
                place += 1
            if place < len(group):
                found.append(group[place])
        return found
