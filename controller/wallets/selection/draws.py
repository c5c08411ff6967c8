"""Ways of choosing that need no search: at random, the largest first, the one smallest coin.

Each goes on until there is enough for change too, and names what it took; the judge decides
whether change is made after all.
"""

import heapq
import random
from collections.abc import Iterator, Sequence

from controller.wallets.selection.coins import CoinPool, Spendable
from controller.wallets.selection.evaluate import Choice, Judge

_MOST_DRAWS = 10_000
_FEW = 252  # inputs whose count takes one byte


class Task:
    """What every way is given. The `required` coins are in every choice."""

    def __init__(self, pool: CoinPool, judge: Judge, required: Sequence[Spendable] = ()) -> None:
        self.pool = pool
        self.judge = judge
        self.required = tuple(required)
        self.feerate = judge.costs.feerate
        self.without = frozenset(coin.outpoint for coin in required)
        counted = sum(coin.effective(self.feerate) for coin in required)
        few, many = (_FEW, _FEW + 1)
        self._needed = [
            [judge.needed_without_change(count) - counted for count in (few, many)],
            [judge.needed_with_change(count) - counted for count in (few, many)],
        ]
        weighed = sum(coin.input_weight for coin in required)
        self.room = judge.max_weight - judge.weight(many, 0, with_change=True) - weighed

    def still_needed(self, taken: int, *, with_change: bool) -> int:
        """Effective value in 1/4000 satoshi, with `taken` more inputs than the required ones."""
        return self._needed[with_change][len(self.required) + taken > _FEW]

    def is_free(self, coin: Spendable) -> bool:
        """Whether it is none of the required ones."""
        return not self.without or coin.outpoint not in self.without


def single_random_draw(task: Task, seed: int) -> Choice | None:
    """Coins in random order until they suffice (Core's `SelectCoinsSRD`).

    Where they weigh too much, the one of least effective value is put back.
    """
    taken: list[tuple[int, int, Spendable]] = []
    value, weight, room = 0, 0, task.room
    for number, coin in enumerate(_shuffled(task.pool, random.Random(seed))):  # noqa: S311
        effective = coin.effective(task.feerate)
        if effective <= 0 or not task.is_free(coin):
            continue
        heapq.heappush(taken, (effective, number, coin))
        value, weight = value + effective, weight + coin.input_weight
        while weight > room and taken:
            least, _, dropped = heapq.heappop(taken)
            value, weight = value - least, weight - dropped.input_weight
        if value >= task.still_needed(len(taken), with_change=True):
            return _judged(task, [coin for _, _, coin in taken], "single random draw")
    return None


def largest_first(task: Task) -> list[Choice]:
    """The fewest coins that suffice, without change and with it."""
    taken: list[Spendable] = []
    value, weight, room = 0, 0, task.room
    found = []
    for coin in _largest(task):
        if value >= task.still_needed(len(taken), with_change=False) and (taken or task.required):
            found.append(_judged(task, taken, "largest first"))
        if value >= task.still_needed(len(taken), with_change=True):
            break
        effective = coin.effective(task.feerate)
        if effective <= 0 or weight + coin.input_weight > room:
            break
        taken.append(coin)
        value, weight = value + effective, weight + coin.input_weight
    found.append(_judged(task, taken, "largest first"))
    return [one for one in found if one is not None]


def smallest_sufficient(task: Task) -> list[Choice]:
    """One coin, the smallest that suffices alone: without change, and with it."""
    found = []
    for with_change in (False, True):
        lower = task.still_needed(1, with_change=with_change)
        coins = task.pool.smallest_above(lower, task.feerate, task.without)
        found += [_judged(task, [coin], "smallest sufficient") for coin in coins]
    return [one for one in found if one is not None]


def most_available_sat(task: Task) -> tuple[int, bool]:
    """What the coins could pay at most after their own fees, and whether weight is what ends it."""
    value, weight, room = 0, 0, task.room
    for coin in _largest(task):
        effective = coin.effective(task.feerate)
        if effective <= 0:
            break
        if weight + coin.input_weight > room:
            return (value // 4_000, True)
        value, weight = value + effective, weight + coin.input_weight
    return (value // 4_000, False)


def _judged(task: Task, coins: list[Spendable], way: str) -> Choice | None:
    return task.judge.judge([*task.required, *coins], way)


def _largest(task: Task) -> Iterator[Spendable]:
    return filter(task.is_free, task.pool.largest_first(task.feerate))


def _shuffled(pool: CoinPool, chance: random.Random) -> Iterator[Spendable]:
    """The settled coins in random order, as many as a draw may look at; nothing is copied."""
    groups = pool.settled
    total = sum(map(len, groups))
    swapped: dict[int, int] = {}
    for last in range(total - 1, max(-1, total - 1 - _MOST_DRAWS), -1):
        at = chance.randrange(last + 1)
        drawn = swapped.get(at, at)
        swapped[at] = swapped.get(last, last)
        for group in groups:
            if drawn < len(group):
                yield group[drawn]
                break
            drawn -= len(group)
