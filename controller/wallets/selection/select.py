"""The choice: what each way finds is judged alike, and the least waste wins."""

from collections.abc import Iterator
from dataclasses import dataclass

from controller.errors import ConflictError
from controller.wallets.feerates import TRUC_VERSION, dust_limit_sat, max_weight
from controller.wallets.selection.branch_and_bound import branch_and_bound
from controller.wallets.selection.coins import UNITS, CoinPool, Spendable
from controller.wallets.selection.draws import (
    Task,
    largest_first,
    most_available_sat,
    single_random_draw,
    smallest_sufficient,
)
from controller.wallets.selection.evaluate import Choice, Costs, Judge
from shared.bitcoin.amounts import btc_text
from shared.bitcoin.transaction import OutPoint, TxOut
from shared.errors import BadInputError

SEARCHED = 2_000
"""Coins that branch and bound looks at; a larger pool gives it a part (`CoinPool.window`)."""
_MANY = 500
_DRAWS = 2
_MOST_ANCESTORS = 24  # Core's default: 25 with the transaction itself
_MOST_PENDING = 12


class SelectionError(ConflictError):
    """No choice of coins fits; nothing was changed."""


class InsufficientFundsError(SelectionError):
    """The coins that may be spent do not pay for it."""

    def __init__(self, needed_sat: int, available_sat: int, *, by_weight: bool) -> None:
        limit = "in one transaction of that weight" if by_weight else "after their own fees"
        super().__init__(
            f"{btc_text(needed_sat)} BTC are needed, {btc_text(available_sat)} BTC can be spent "
            f"{limit}"
        )
        self.needed_sat = needed_sat
        self.available_sat = available_sat
        self.by_weight = by_weight


@dataclass(frozen=True, slots=True)
class Rules:
    """What the transaction must keep to: its version (2 or 3), a ceiling for its fee."""

    version: int = 2
    max_fee_sat: int | None = None
    tries: int = 20_000


@dataclass(frozen=True, slots=True)
class Demand:
    """What is to be paid.

    `named` coins are spent in any case, and `only_named` says that no others may be. No output at
    all moves the named coins to change. `seed` is for the random draws.
    """

    outputs: tuple[TxOut, ...]
    seed: int
    named: tuple[OutPoint, ...] = ()
    only_named: bool = False


def select(pool: CoinPool, demand: Demand, costs: Costs, rules: Rules | None = None) -> Choice:
    """The choice of least waste among those found.

    Coins of confirmed transactions are taken where they suffice; own change that is still pending
    only where they do not, of one parent alone in a transaction of version 3 (BIP431 rule 3).
    `InsufficientFundsError` where nothing suffices, `SelectionError` for named coins that cannot be
    spent and for a fee above the ceiling, BadInputError for outputs that are dust.
    """
    rules = rules if rules is not None else Rules()
    _check_outputs(demand, costs)
    named = tuple(_named(pool, demand))
    _check_pending(named, rules.version)
    first = _task(pool, demand, costs, rules, named)
    best = _best(first, demand, rules)
    for required in () if best or demand.only_named else _with_pending(pool, named, costs, rules):
        best = _best(_task(pool, demand, costs, rules, required), demand, rules)
        if best is not None:
            break
    if best is None:
        raise _shortage(first, demand)
    if rules.max_fee_sat is not None and best.fee_sat > rules.max_fee_sat:
        raise SelectionError(
            f"a fee of {best.fee_sat} sat is needed, the ceiling is {rules.max_fee_sat} sat"
        )
    return best


def _task(
    pool: CoinPool, demand: Demand, costs: Costs, rules: Rules, required: tuple[Spendable, ...]
) -> Task:
    on_pending = any(coin.pending_parent is not None for coin in required)
    limit = max_weight(rules.version, spends_unconfirmed=on_pending)
    return Task(pool, Judge(costs, demand.outputs, limit), required)


def _best(task: Task, demand: Demand, rules: Rules) -> Choice | None:
    alone = task.judge.judge(task.required, "named coins")
    if demand.only_named or not demand.outputs:
        return alone
    found = [alone, *largest_first(task), *smallest_sufficient(task)]
    found += [single_random_draw(task, demand.seed + number) for number in range(_DRAWS)]
    upper = task.still_needed(1, with_change=False) + UNITS * (task.judge.most_given_away + 1)
    window = task.pool.window(upper, task.feerate, SEARCHED)
    tries = rules.tries if len(window) <= _MANY else rules.tries // 5
    coins = list(filter(task.is_free, window))
    found.append(branch_and_bound(coins, task.judge, task.required, tries))
    fitting = [one for one in found if one is not None]
    return min(fitting, key=lambda one: (one.waste, len(one.coins)), default=None)


def _check_outputs(demand: Demand, costs: Costs) -> None:
    for output in demand.outputs:
        least = dust_limit_sat(output.script_pubkey, costs.dust_relay_feerate)
        if output.amount_sat < least:
            raise BadInputError(
                "outputs", f"{output.amount_sat} sat is dust", f"at least {least} sat to its script"
            )
    if not demand.outputs and not demand.named:
        raise BadInputError("outputs", "none, and no named coins", "at least one of either")


def _named(pool: CoinPool, demand: Demand) -> Iterator[Spendable]:
    if len(set(demand.named)) != len(demand.named):
        raise BadInputError("named", "a coin twice", "each coin once")
    for outpoint in demand.named:
        coin = pool.get(outpoint)
        if coin is None:
            raise SelectionError(f"the coin {outpoint.hex} cannot be spent")
        yield coin


def _check_pending(named: tuple[Spendable, ...], version: int) -> None:
    unconfirmed = [coin for coin in named if coin.pending_parent is not None]
    refused = next((coin for coin in unconfirmed if not _may_rest_on(coin, version)), None)
    if refused is not None:
        raise SelectionError(
            f"a transaction of version {version} cannot spend the pending {refused.outpoint.hex}"
        )
    if version == TRUC_VERSION and len({coin.outpoint.txid for coin in unconfirmed}) > 1:
        raise SelectionError("a transaction of version 3 rests on one pending transaction at most")


def _may_rest_on(coin: Spendable, version: int) -> bool:
    """BIP431 rules 2 and 3, and Core's limit of ancestors."""
    parent = coin.pending_parent
    if parent is None:
        return True
    if (parent.version == TRUC_VERSION) != (version == TRUC_VERSION):
        return False
    if version == TRUC_VERSION:
        return parent.ancestors == 0 and not parent.has_child
    return parent.ancestors + 1 <= _MOST_ANCESTORS


def _with_pending(
    pool: CoinPool, named: tuple[Spendable, ...], costs: Costs, rules: Rules
) -> Iterator[tuple[Spendable, ...]]:
    """The named coins and more and more pending ones, the most valuable first."""
    names = {coin.outpoint for coin in named}
    parents = {coin.outpoint.txid for coin in named if coin.pending_parent is not None}
    usable = [
        coin
        for coin in pool.pending
        if coin.outpoint not in names
        and _may_rest_on(coin, rules.version)
        and coin.effective(costs.feerate) > 0
    ]
    usable.sort(key=lambda coin: coin.effective(costs.feerate), reverse=True)
    if rules.version == TRUC_VERSION and usable:
        parent = next(iter(parents), usable[0].outpoint.txid)
        usable = [coin for coin in usable if coin.outpoint.txid == parent]
    for count in range(1, min(len(usable), _MOST_PENDING) + 1):
        yield (*named, *usable[:count])


def _shortage(task: Task, demand: Demand) -> SelectionError:
    needed = -(-task.judge.needed_without_change(1) // UNITS)
    required = sum(coin.effective(task.feerate) for coin in task.required) // UNITS
    if demand.only_named or not demand.outputs:
        return InsufficientFundsError(needed, required, by_weight=False)
    available, by_weight = most_available_sat(task)
    return InsufficientFundsError(needed, required + available, by_weight=by_weight)
