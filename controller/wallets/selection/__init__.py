"""Choosing the coins that pay for outputs. Pure: the seed of every random draw is an argument.

`coins` is what is chosen from, `evaluate` one choice taken to
its end (fee, change, waste), `branch_and_bound` and `draws` the ways of choosing, `select` the
choice of the least waste. Another way of choosing is a function in `draws` and a line in `select`;
it need not be clever, since what it finds only counts where it wastes less.
"""

from controller.wallets.selection.coins import CoinPool, PendingParent, Spendable
from controller.wallets.selection.evaluate import Choice, Costs
from controller.wallets.selection.select import (
    Demand,
    InsufficientFundsError,
    Rules,
    SelectionError,
    select,
)

__all__ = [
    "Choice",
    "CoinPool",
    "Costs",
    "Demand",
    "InsufficientFundsError",
    "PendingParent",
    "Rules",
    "SelectionError",
    "Spendable",
    "select",
]
