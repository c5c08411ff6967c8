"""The life of a reservation, as a table. Pure.

A reservation stays `in a block` until the block is deep: a reorganisation takes it back to `held`,
with the coins that are its payment's still its own.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class ReservationState(StrEnum):
    """Where a reservation stands."""

    HELD = "held"
    IN_BLOCK = "in a block"
    RELEASED = "released"


class ReservationEvent(StrEnum):
    """What happens to it."""

    MINED = "its payment is in a block"
    UNMINED = "that block is disconnected"
    RELEASED = "given up before anything was signed, or cancelled for good"


TRANSITIONS: Mapping[ReservationState, Mapping[ReservationEvent, ReservationState]] = (
    MappingProxyType(
        {
            ReservationState.HELD: {
                ReservationEvent.MINED: ReservationState.IN_BLOCK,
                ReservationEvent.RELEASED: ReservationState.RELEASED,
            },
            ReservationState.IN_BLOCK: {ReservationEvent.UNMINED: ReservationState.HELD},
        }
    )
)


def after(state: ReservationState, event: ReservationEvent) -> ReservationState | None:
    """The state after an event; None: it is refused."""
    return TRANSITIONS.get(state, {}).get(event)
