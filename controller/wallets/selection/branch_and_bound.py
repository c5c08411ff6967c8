"""Branch and bound: the coins that pay without change and waste least.

A depth-first search over "with this coin" and "without it", largest effective value first, after
Murch's thesis (2016, section 5.3) and Bitcoin Core's `SelectCoinsBnB`. Where it departs: a branch
goes on at the next coin that still fits, found by bisection, instead of trying each that does not;
and a hit counts only when the exact fee, rounded up as nodes do, is met.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from controller.wallets.selection.coins import UNITS, Spendable
from controller.wallets.selection.evaluate import Choice, Judge

NAME = "branch and bound"
MAX_TRIES = 20_000
"""Steps of the search; Core takes 100,000, of which most are the trying that is left out here."""


def _others(values: Sequence[int], weights: Sequence[int]) -> list[int]:
    """For each place the next one whose coin is not its equal: leaving out a coin and taking its
    equal is the same choice."""
    others = [len(values)] * len(values)
    for at in range(len(values) - 2, -1, -1):
        is_equal = values[at] == values[at + 1] and weights[at] == weights[at + 1]
        others[at] = others[at + 1] if is_equal else at + 1
    return others


class _Search:
    """The coins in order, and the best choice so far."""

    def __init__(self, coins: Sequence[Spendable], required: Sequence[Spendable], judge: Judge):
        rate, long_term = judge.costs.feerate, judge.costs.long_term_feerate
        keyed = [(coin.effective(rate), coin.input_weight, at) for at, coin in enumerate(coins)]
        keyed.sort(reverse=True)
        self.coins = [coins[at] for _, _, at in keyed]
        self.values = [value for value, _, _ in keyed]
        self.weights = [weight for _, weight, _ in keyed]
        self.wastes = [weight * (rate - long_term) for weight in self.weights]
        self.falling = [-value for value in self.values]
        self.rest = [*accumulate(reversed(self.values), initial=0)][::-1]
        self.others = _others(self.values, self.weights)
        self.required = list(required)
        self.judge = judge
        self.best: Choice | None = None
        self.most_waste: int | None = None

    def consider(self, picked: Sequence[int]) -> bool:
        """Judges the picked coins; False: they do not suffice."""
        found = self.judge.judge([*self.required, *(self.coins[at] for at in picked)], NAME)
        if found is None:
            return False
        if self.best is None or found.waste < self.best.waste:
            self.best = found
            self.most_waste = found.waste
        return True


def branch_and_bound(
    coins: Sequence[Spendable],
    judge: Judge,
    required: Sequence[Spendable] = (),
    tries: int = MAX_TRIES,
) -> Choice | None:
    """The best choice found, with the `required` coins in it; None where there is none.

    `coins` have effective values above zero. With so few coins that `tries` suffice, and a feerate
    not below the long-term one, no choice without change wastes less.
    """
    search = _Search(coins, required, judge)
    rate, long_term = judge.costs.feerate, judge.costs.long_term_feerate
    weighed = sum(coin.input_weight for coin in required)
    target = judge.needed_without_change(1) - sum(coin.effective(rate) for coin in required)
    if search.rest[0] < target:
        return None
    _walk(
        search,
        _Bounds(
            target=target,
            upper=target + UNITS * (judge.most_given_away + 1),
            room=judge.max_weight - judge.weight(1, 0, with_change=False) - weighed,
            waste=weighed * (rate - long_term),
            grows=rate >= long_term,
        ),
        tries,
    )
    return search.best


@dataclass(frozen=True, slots=True)
class _Bounds:
    """In 1/4000 satoshi and weight units, the required coins taken off; `waste` is theirs."""

    target: int
    upper: int
    room: int
    waste: int
    grows: bool


def _walk(search: _Search, bounds: _Bounds, tries: int) -> None:
    values, weights, wastes, rest = search.values, search.weights, search.wastes, search.rest
    target, upper = bounds.target, bounds.upper
    rounding = UNITS + 3 * search.judge.costs.feerate
    picked: list[int] = []
    value, weight, waste, at, count = 0, 0, bounds.waste, 0, len(values)
    for _ in range(tries):
        goes_on = value < upper and weight <= bounds.room
        if goes_on and search.most_waste is not None and bounds.grows:
            given_away = value - target - rounding if value > target else 0
            goes_on = waste + given_away <= search.most_waste
        if goes_on and value >= target and (picked or search.required):
            goes_on = not search.consider(picked)
        if goes_on and at < count:
            at = max(at, bisect_left(search.falling, value - upper))
            if at < count and value + rest[at] >= target:
                picked.append(at)
                value += values[at]
                weight += weights[at]
                waste += wastes[at]
                at += 1
                continue
        if not picked:
            return
        last = picked.pop()
        value -= values[last]
        weight -= weights[last]
        waste -= wastes[last]
        at = search.others[last]
