"""The life of a coin (an output of the wallet's own) as tables. Pure.

A coin has a *standing*, which the chain gives it, and a *hold*, which we give it; both move at the
same time, and what people see is the two taken together (`shown`). Where a coin stands is never a
guess from its name: every step is an event with the block behind it, and a block that is
disconnected is an event too.

An output of an ordinary transaction goes back to `pending` when its block is disconnected. That of
a coinbase is `gone`: no mempool takes it, nobody can broadcast it again, and only the very block
that made it can bring it back, by being connected again.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from controller.wallets.reservation_life import TRANSITIONS, ReservationState

_S = TypeVar("_S", bound=StrEnum)
_E = TypeVar("_E", bound=StrEnum)

COINBASE_MATURITY = 100
"""Blocks above a coinbase's own before consensus lets its outputs be spent (Core, consensus.h)."""


class Standing(StrEnum):
    """What the chain says of a coin."""

    PENDING = "pending"
    IMMATURE = "immature"
    CONFIRMED = "confirmed"
    FINAL = "final"
    SPENT = "spent"
    GONE = "gone"


class Hold(StrEnum):
    """What we keep a coin for, or from."""

    FREE = "free"
    RESERVED = "reserved"
    PLEDGED = "pledged"
    TAINTED = "tainted"


class CoinState(StrEnum):
    """Standing and hold in one word."""

    PENDING = "pending"
    IMMATURE = "immature"
    CONFIRMED = "confirmed"
    FINAL = "final"
    RESERVED = "reserved"
    PLEDGED = "pledged"
    TAINTED = "tainted"
    SPENT = "spent"
    GONE = "gone"


class ChainEvent(StrEnum):
    """What happens to a coin on the chain."""

    SEEN = "seen unconfirmed"
    MINED = "in a block"
    MATURED = "100 blocks deep"
    BURIED = "finality-deep"
    SPENT = "spent"
    SPEND_UNDONE = "spend undone, in a block"
    SPEND_DROPPED = "spend undone, unconfirmed"
    UNBURIED = "no more finality-deep"
    UNMATURED = "no more 100 blocks deep"
    UNMINED = "block disconnected"
    REPLACED = "replaced or dropped"


class HoldEvent(StrEnum):
    """What we do with a coin."""

    RESERVED = "reserved for a payment"
    RELEASED = "released"
    PLEDGED = "pledged"
    REDEEMED = "redeemed"
    TAINTED = "found tainted"
    CLEARED = "cleared"
    CLEARED_RESERVED = "cleared, still reserved"
    CLEARED_PLEDGED = "cleared, still pledged"


StandingTable = Mapping[Standing, Mapping[ChainEvent, Standing]]

ORDINARY: StandingTable = MappingProxyType(
    {
        Standing.PENDING: {
            ChainEvent.MINED: Standing.CONFIRMED,
            ChainEvent.SPENT: Standing.SPENT,
            ChainEvent.REPLACED: Standing.GONE,
        },
        Standing.CONFIRMED: {
            ChainEvent.BURIED: Standing.FINAL,
            ChainEvent.SPENT: Standing.SPENT,
            ChainEvent.UNMINED: Standing.PENDING,
        },
        Standing.FINAL: {
            ChainEvent.SPENT: Standing.SPENT,
            ChainEvent.UNBURIED: Standing.CONFIRMED,
        },
        Standing.SPENT: {
            ChainEvent.SPEND_UNDONE: Standing.CONFIRMED,
            ChainEvent.SPEND_DROPPED: Standing.PENDING,
            ChainEvent.REPLACED: Standing.GONE,
        },
        Standing.GONE: {
            ChainEvent.SEEN: Standing.PENDING,
            ChainEvent.MINED: Standing.CONFIRMED,
        },
    }
)
"""The outputs of a transaction that is no coinbase; an event without an entry changes nothing."""

MINED: StandingTable = MappingProxyType(
    {
        Standing.IMMATURE: {
            ChainEvent.MATURED: Standing.CONFIRMED,
            ChainEvent.UNMINED: Standing.GONE,
        },
        Standing.CONFIRMED: {
            ChainEvent.BURIED: Standing.FINAL,
            ChainEvent.SPENT: Standing.SPENT,
            ChainEvent.UNMATURED: Standing.IMMATURE,
        },
        Standing.FINAL: {
            ChainEvent.SPENT: Standing.SPENT,
            ChainEvent.UNBURIED: Standing.CONFIRMED,
            ChainEvent.UNMATURED: Standing.IMMATURE,
        },
        Standing.SPENT: {
            ChainEvent.SPEND_UNDONE: Standing.CONFIRMED,
            ChainEvent.UNMINED: Standing.GONE,
        },
        Standing.GONE: {ChainEvent.MINED: Standing.IMMATURE},
    }
)
"""The outputs of a coinbase."""

HOLDS: Mapping[Hold, Mapping[HoldEvent, Hold]] = MappingProxyType(
    {
        Hold.FREE: {
            HoldEvent.RESERVED: Hold.RESERVED,
            HoldEvent.PLEDGED: Hold.PLEDGED,
            HoldEvent.TAINTED: Hold.TAINTED,
        },
        Hold.RESERVED: {
            HoldEvent.RELEASED: Hold.FREE,
            HoldEvent.TAINTED: Hold.TAINTED,
        },
        Hold.PLEDGED: {
            HoldEvent.REDEEMED: Hold.FREE,
            HoldEvent.TAINTED: Hold.TAINTED,
        },
        Hold.TAINTED: {
            HoldEvent.CLEARED: Hold.FREE,
            HoldEvent.CLEARED_RESERVED: Hold.RESERVED,
            HoldEvent.CLEARED_PLEDGED: Hold.PLEDGED,
        },
    }
)
"""A tainted coin stays in its reservation or pledge, and goes back to it when it is cleared."""


def life(*, is_coinbase: bool) -> StandingTable:
    """The table of a coin's standing."""
    return MINED if is_coinbase else ORDINARY


def first_standing(*, is_coinbase: bool, in_block: bool) -> Standing:
    """Where a coin begins; a coinbase begins in a block."""
    if is_coinbase:
        return Standing.IMMATURE
    return Standing.CONFIRMED if in_block else Standing.PENDING


def after(standing: Standing, event: ChainEvent, *, is_coinbase: bool) -> Standing:
    """The standing after an event; the same where the event changes nothing."""
    return life(is_coinbase=is_coinbase).get(standing, {}).get(event, standing)


def held_after(hold: Hold, event: HoldEvent) -> Hold | None:
    """The hold after an event; None: the event is refused."""
    return HOLDS[hold].get(event)


def shown(standing: Standing, hold: Hold) -> CoinState:
    """What is said of a coin: the chain's last word, then the gravest hold, then its depth."""
    if standing in {Standing.SPENT, Standing.GONE} or hold is Hold.FREE:
        return CoinState(standing.value)
    return CoinState(hold.value)


def lowest_height(event: ChainEvent, tip_height: int, finality_depth: int) -> int | None:
    """The height up to which coins are matured or buried at this tip; None for other events.

    A coinbase at height h may be spent in block h + 100, hence once h + 99 is the tip. A coin has
    one confirmation in the tip itself.
    """
    if event in {ChainEvent.MATURED, ChainEvent.UNMATURED}:
        return tip_height - COINBASE_MATURITY + 1
    if event in {ChainEvent.BURIED, ChainEvent.UNBURIED}:
        return tip_height - finality_depth + 1
    return None


def mermaid(table: Mapping[_S, Mapping[_E, _S]], first: Sequence[_S]) -> str:
    """One table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", *(f"    [*] --> {state}" for state in first)]
    for state, row in table.items():
        merged: dict[_S, list[str]] = {}
        for event, target in row.items():
            merged.setdefault(target, []).append(event.value)
        lines += [f"    {state} --> {to}: {', '.join(events)}" for to, events in merged.items()]
    return "\n".join(lines) + "\n"


def diagram_page() -> str:
    """The page `docs/diagrams/coin.md`."""
    begun = first_standing(is_coinbase=False, in_block=True)
    drawn = [
        (
            "An output of an ordinary transaction",
            mermaid(ORDINARY, [first_standing(is_coinbase=False, in_block=False), begun]),
        ),
        (
            "An output of a coinbase",
            mermaid(MINED, [first_standing(is_coinbase=True, in_block=True)]),
        ),
        ("What we hold it for", mermaid(HOLDS, [Hold.FREE])),
        ("A reservation", mermaid(TRANSITIONS, [ReservationState.HELD])),
    ]
    return (
        "# The life of a coin\n\n"
        "Written by `python -m controller.wallets.coin_life`; a test compares it with the tables.\n"
        "Standing and hold move apart from each other. A coin that is spent or gone is shown so;\n"
        "otherwise a hold hides the depth.\n"
        + "".join(f"\n## {title}\n\n```mermaid\n{one}```\n" for title, one in drawn)
    )


if __name__ == "__main__":
    import sys

    sys.stdout.write(diagram_page())
