"""A revenue split by measured work, to the satoshi.

Largest remainder (Hamilton): each gets the whole satoshi of its exact share, and the satoshi left
over go one each to the largest remainders; equal remainders in the order of the shares. The sum is
the amount, always.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller.contracts.errors import TermsError
from shared.bitcoin.amounts import check_amount_sat
from shared.bitcoin.transaction import TxOut

PPM = 1_000_000
MAX_WORK = 2**256 - 1


@dataclass(frozen=True, slots=True)
class Split:
    """What a period's amount comes to: the outputs to pay, and what is carried to the next period
    since it is too little to pay. `amount_sat` is the sum of all of it."""

    amount_sat: int
    outputs: tuple[TxOut, ...]
    carried_sat: Mapping[str, int]


def largest_remainder(amount_sat: int, weights: Sequence[int]) -> tuple[int, ...]:
    """The amount in whole satoshi in proportion to the weights; TermsError where all are 0."""
    check_amount_sat("amount_sat", amount_sat)
    total = sum(weights)
    if total <= 0 or any(type(one) is not int or not 0 <= one <= MAX_WORK for one in weights):
        raise TermsError("work", f"{total} in all", "whole numbers from 0, not all of them 0")
    exact = [divmod(amount_sat * weight, total) for weight in weights]
    shares = [whole for whole, _ in exact]
    ranked = sorted(range(len(weights)), key=lambda place: (-exact[place][1], place))
    for place in ranked[: amount_sat - sum(shares)]:
        shares[place] += 1
    return tuple(shares)


def split_by_work(
    amount_sat: int,
    work: Mapping[str, int],
    scripts: Mapping[str, bytes],
    fee: tuple[str, int],
    minimum_sat: int,
) -> Split:
    """The split of an amount among all who have a script.

    `work` is each customer's measured work of the period, in one unit for all; somebody without
    work gets nothing. `fee` is the host's name and its part of the amount in parts per million,
    taken first, rounded down. Shares below `minimum_sat` are carried.
    """
    host, fee_ppm = fee
    unknown = sorted(set(work) - set(scripts) | {host} & set(work))
    if unknown:
        raise TermsError("work", unknown[0][:60], "customers of the contract")
    check_amount_sat("amount_sat", amount_sat)
    host_sat = amount_sat * fee_ppm // PPM
    names = [name for name in scripts if name != host]
    shares = largest_remainder(amount_sat - host_sat, [work.get(name, 0) for name in names])
    due = {host: host_sat, **dict(zip(names, shares, strict=True))}
    outputs = tuple(
        TxOut(due[name], scripts[name]) for name in scripts if due[name] >= max(minimum_sat, 1)
    )
    carried = {name: sat for name, sat in due.items() if 0 < sat < minimum_sat}
    return Split(amount_sat, outputs, carried)
