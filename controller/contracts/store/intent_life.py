"""The lives of an intent and of a transaction as tables. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class IntentState(StrEnum):
    """Where an approved intent stands."""

    OPEN = "open"
    SIGNED = "signed"
    """Something was signed for it: from now on only what is final ends it."""
    DONE = "done"
    CANCELLED = "cancelled"
    LAPSED = "lapsed"
    """Its deadline passed before anything was signed."""


class TransactionState(StrEnum):
    """Where a transaction stands."""

    DRAFTED = "drafted"
    SIGNED = "signed"
    BROADCAST = "broadcast"
    FINAL = "final"
    REPLACED = "replaced"
    """Something final excludes it."""


_I, _T = IntentState, TransactionState

INTENTS: Mapping[IntentState, frozenset[IntentState]] = MappingProxyType(
    {
        _I.OPEN: frozenset({_I.SIGNED, _I.LAPSED, _I.DONE, _I.CANCELLED}),
        _I.SIGNED: frozenset({_I.DONE, _I.CANCELLED}),
        _I.DONE: frozenset(),
        _I.CANCELLED: frozenset(),
        _I.LAPSED: frozenset(),
    }
)
"""Where each may go; those that go nowhere have ended. An open one is done or cancelled where the
chain has its draft finally, though whoever signed it never told us."""

TRANSACTIONS: Mapping[TransactionState, frozenset[TransactionState]] = MappingProxyType(
    {
        _T.DRAFTED: frozenset({_T.SIGNED, _T.FINAL, _T.REPLACED}),
        _T.SIGNED: frozenset({_T.BROADCAST, _T.FINAL, _T.REPLACED}),
        _T.BROADCAST: frozenset({_T.SIGNED, _T.FINAL, _T.REPLACED}),
        _T.FINAL: frozenset(),
        _T.REPLACED: frozenset(),
    }
)
"""A broadcast one whose block is disconnected is merely signed again: it has to be sent anew."""


def intents_before(state: IntentState) -> list[str]:
    """The states, as stored, from which an intent may come into this one."""
    return [one.value for one, to in INTENTS.items() if state in to]


def transactions_before(state: TransactionState) -> list[str]:
    """The states, as stored, from which a transaction may come into this one."""
    return [one.value for one, to in TRANSACTIONS.items() if state in to]
