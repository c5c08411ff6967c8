"""Lots, and which of them are relieved when coins leave. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from controller.errors import ConflictError
from controller.wallets.books.prices import Price, PriceOrReason
from shared.bitcoin.transaction import OutPoint
from shared.errors import BadInputError


class Origin(StrEnum):
    """How a lot was acquired."""

    MINED = "mined"
    BOUGHT = "bought"
    RECEIVED = "received"
    TRANSFERRED = "transferred"
    """From another wallet of the organisation; it keeps that lot's time and price."""


class Method(StrEnum):
    """Which lots are relieved first."""

    FIFO = "fifo"
    HIFO = "hifo"
    NAMED = "named"


class ReliefState(StrEnum):
    """A plan counts against its lots as what is booked does."""

    PLANNED = "planned"
    BOOKED = "booked"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Lot:
    """What was acquired with one output; `available_sat` of it is neither relieved nor planned."""

    id: int
    outpoint: OutPoint
    amount_sat: int
    available_sat: int
    acquired_ms: int
    origin: Origin
    price: PriceOrReason


@dataclass(frozen=True, slots=True)
class Relief:
    """So much of a lot leaves."""

    lot_id: int
    amount_sat: int


class ShortOfLotsError(ConflictError):
    """The lots do not hold what is to be relieved."""

    def __init__(self, needed_sat: int, available_sat: int) -> None:
        super().__init__(f"{needed_sat} sat are to be relieved, the lots hold {available_sat} sat")
        self.needed_sat = needed_sat
        self.available_sat = available_sat


def in_order(lots: Iterable[Lot], method: Method, named: Sequence[int] = ()) -> list[Lot]:
    """The lots as they are relieved.

    FIFO: the earliest acquired first. HIFO: the highest price first; a lot without a price is not
    taken for a cheap one, it comes after all that have one, the earliest first. NAMED: those named,
    as they are named, and no others. `ConflictError` where HIFO would compare two currencies.
    """
    by_time = sorted(lots, key=lambda lot: (lot.acquired_ms, lot.id))
    if method is Method.FIFO:
        return by_time
    if method is Method.NAMED:
        by_id = {lot.id: lot for lot in by_time}
        missing = [number for number in named if number not in by_id]
        if missing or len(set(named)) != len(named) or not named:
            raise BadInputError("named", f"{list(named)[:20]}", "lots of the wallet, each once")
        return [by_id[number] for number in named]
    priced = [(lot, lot.price) for lot in by_time if isinstance(lot.price, Price)]
    if len({price.currency for _, price in priced}) > 1:
        raise ConflictError("lots with prices in several currencies have no highest price")
    priced.sort(key=lambda pair: pair[1].amount, reverse=True)
    return [lot for lot, _ in priced] + [lot for lot in by_time if not isinstance(lot.price, Price)]


def relieve(
    lots: Iterable[Lot], amount_sat: int, method: Method, named: Sequence[int] = ()
) -> list[Relief]:
    """Which lots answer for the amount; `ShortOfLotsError` where they do not hold it."""
    if amount_sat < 0:
        raise BadInputError("amount_sat", str(amount_sat), "0 or more")
    reliefs, left = [], amount_sat
    ordered = in_order(lots, method, named)
    for lot in ordered:
        if left == 0:
            break
        taken = min(left, lot.available_sat)
        if taken > 0:
            reliefs.append(Relief(lot.id, taken))
            left -= taken
    if left:
        raise ShortOfLotsError(amount_sat, sum(lot.available_sat for lot in ordered))
    return reliefs
