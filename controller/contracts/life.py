"""The life of a contract as a table, and that of an incident. Pure.

Funding and spending are facts of the chain, and any of them can be undone, so every event of the
chain has an entry in every state: where the contract goes, and the way out of what happened. A
state that ends the contract rests on finality-deep facts only, or on no coin at all; it never
changes. What happens to its coins afterwards (late or second funding, a reorganisation deeper than
finality) opens a linked incident with a life of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from controller.contracts.errors import ContractError


class ContractState(StrEnum):
    """Where a contract stands."""

    DRAFT = "draft"
    APPROVED = "approved"
    PARTLY_FUNDED = "partly funded"
    FUNDED = "funded"
    SPENDING = "spending"
    INCIDENT = "incident"
    SETTLED = "settled"
    REFUNDED = "refunded"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


class ContractEvent(StrEnum):
    """What happens to a contract: first what people decide, then what the chain shows."""

    APPROVED = "approved"
    WITHDRAWN = "withdrawn or replaced before any coin"

    FUNDED_IN_PART = "funding seen, not all of it"
    FUNDED_IN_FULL = "funding seen, all of it"
    FUNDED_ABOVE = "funding seen, more than agreed"
    FUNDED_AGAIN = "funded a second time"
    FUNDING_CUT = "funding undone, some left"
    FUNDING_UNDONE = "funding undone, none left"
    SPEND_SEEN = "our spend seen"
    UNKNOWN_SPEND = "a spend seen that we did not draft"
    SPEND_UNDONE = "spend undone"
    SPEND_FINAL = "spend final, coins left"
    EMPTIED_FINAL = "last coin's spend final, open to new ones"
    SETTLED_FINAL = "last coin's spend final, settling"
    REFUND_FINAL = "last coin's spend final, refunding"
    MOVED_FINAL = "last coin's spend final, into the successor"
    LOSS_FINAL = "an unknown spend final, the rest moved"
    DEADLINE_FINAL = "funding deadline finality-deep past"
    DEEP_REORGANISATION = "reorganised below finality"


DECISIONS = frozenset({ContractEvent.APPROVED, ContractEvent.WITHDRAWN})
FINAL = frozenset(one for one in ContractEvent if one.name.endswith("_FINAL"))
"""Events that are told only once what they tell of is finality-deep."""


class WayOut(StrEnum):
    """What is done about an event that did not go as agreed."""

    WAIT_OR_RETURN = "wait for the rest until the deadline, then return what came"
    RETURN_SURPLUS = "what is too much stays a coin of its own and is returned by a payment"
    RETURN_ALL = "everything that came is returned by a payment of its own"
    WAIT_AGAIN = "the payer's transaction is watched for again; nothing was spent"
    BROADCAST_AGAIN = "the signed transaction is broadcast again; nothing new is signed"
    SECURE_THE_REST = "the remaining coins are moved, and who signed is asked"
    READ_ANEW = "the facts are read anew from the new chain; what they then say follows as events"


class IncidentState(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    RESOLVING = "resolving"
    RESOLVED = "resolved"


class IncidentEvent(StrEnum):
    """What happens to an incident."""

    SPEND_SEEN = "the coin's way out seen"
    SPEND_UNDONE = "undone"
    SPEND_FINAL = "the coin's way out final"
    COIN_GONE_FINAL = "the coin's own transaction gone, its conflict final"
    ACCEPTED = "accepted as it is, by those who approve"


@dataclass(frozen=True, slots=True)
class Move:
    """Where an event leads: the state after it, what is done about it, and whether a linked
    incident opens."""

    state: ContractState
    way_out: WayOut | None = None
    opens_incident: bool = False


class NoSuchStepError(ContractError):
    """A decision that the contract's state does not allow; nothing was changed."""


_S, _E, _W = ContractState, ContractEvent, WayOut

_FUNDING = {
    _E.FUNDED_IN_PART: Move(_S.PARTLY_FUNDED, _W.WAIT_OR_RETURN),
    _E.FUNDED_IN_FULL: Move(_S.FUNDED),
    _E.FUNDED_ABOVE: Move(_S.FUNDED, _W.RETURN_SURPLUS),
    _E.FUNDED_AGAIN: Move(_S.FUNDED, _W.RETURN_SURPLUS),
}
_UNDOING = {
    _E.FUNDING_CUT: Move(_S.PARTLY_FUNDED, _W.WAIT_AGAIN),
    _E.FUNDING_UNDONE: Move(_S.APPROVED, _W.WAIT_AGAIN),
    _E.SPEND_UNDONE: Move(_S.FUNDED, _W.BROADCAST_AGAIN),
}
_SPENDING = {
    _E.SPEND_SEEN: Move(_S.SPENDING),
    _E.UNKNOWN_SPEND: Move(_S.INCIDENT, _W.SECURE_THE_REST),
    _E.SPEND_FINAL: Move(_S.FUNDED),
    _E.EMPTIED_FINAL: Move(_S.APPROVED),
    _E.SETTLED_FINAL: Move(_S.SETTLED),
    _E.REFUND_FINAL: Move(_S.REFUNDED),
    _E.MOVED_FINAL: Move(_S.SUPERSEDED),
    _E.LOSS_FINAL: Move(_S.SUPERSEDED, _W.SECURE_THE_REST),
}


def _deep(state: ContractState) -> dict[ContractEvent, Move]:
    return {_E.DEEP_REORGANISATION: Move(state, _W.READ_ANEW, opens_incident=True)}


def _unapproved() -> dict[ContractEvent, Move]:
    """Nobody was to pay yet: whatever comes is returned, as an incident of its own."""
    row = {event: Move(_S.DRAFT, _W.RETURN_ALL, opens_incident=True) for event in _FUNDING}
    row |= {event: Move(_S.DRAFT) for event in (*_UNDOING, *_SPENDING)}
    row[_E.UNKNOWN_SPEND] = Move(_S.DRAFT, _W.SECURE_THE_REST, opens_incident=True)
    return row | {
        _E.APPROVED: Move(_S.APPROVED),
        _E.WITHDRAWN: Move(_S.SUPERSEDED),
        _E.DEADLINE_FINAL: Move(_S.EXPIRED),
        **_deep(_S.DRAFT),
    }


def _ended(state: ContractState) -> dict[ContractEvent, Move]:
    """A state that never changes: a late coin and a deep reorganisation open an incident."""
    row = {event: Move(state, _W.RETURN_ALL, opens_incident=True) for event in _FUNDING}
    row |= {event: Move(state) for event in (*_UNDOING, *_SPENDING)}
    row[_E.UNKNOWN_SPEND] = Move(state, _W.SECURE_THE_REST, opens_incident=True)
    return row | {_E.DEADLINE_FINAL: Move(state), **_deep(state)}


def _incident() -> dict[ContractEvent, Move]:
    """Somebody spent what we did not draft. Undone, it is over; else it ends with final facts."""
    row = {event: Move(_S.INCIDENT, _W.RETURN_SURPLUS) for event in _FUNDING}
    row |= {event: Move(_S.INCIDENT, _W.SECURE_THE_REST) for event in (_E.SPEND_SEEN,)}
    return {
        **_SPENDING,
        **_UNDOING,
        **row,
        _E.SPEND_FINAL: Move(_S.INCIDENT, _W.SECURE_THE_REST),
        _E.DEADLINE_FINAL: Move(_S.INCIDENT),
        **_deep(_S.INCIDENT),
    }


TABLE: Mapping[ContractState, Mapping[ContractEvent, Move]] = MappingProxyType(
    {
        _S.DRAFT: _unapproved(),
        _S.APPROVED: {
            **_FUNDING,
            **_UNDOING,
            **_SPENDING,
            _E.WITHDRAWN: Move(_S.SUPERSEDED),
            _E.SPEND_UNDONE: Move(_S.APPROVED, _W.BROADCAST_AGAIN),
            _E.DEADLINE_FINAL: Move(_S.EXPIRED),
            **_deep(_S.APPROVED),
        },
        _S.PARTLY_FUNDED: {
            **_FUNDING,
            **_UNDOING,
            **_SPENDING,
            _E.SPEND_UNDONE: Move(_S.PARTLY_FUNDED, _W.BROADCAST_AGAIN),
            _E.SPEND_FINAL: Move(_S.PARTLY_FUNDED),
            _E.DEADLINE_FINAL: Move(_S.PARTLY_FUNDED, _W.RETURN_ALL),
            **_deep(_S.PARTLY_FUNDED),
        },
        _S.FUNDED: {
            **_FUNDING,
            **_UNDOING,
            **_SPENDING,
            _E.FUNDED_IN_PART: Move(_S.FUNDED, _W.RETURN_SURPLUS),
            _E.DEADLINE_FINAL: Move(_S.FUNDED),
            **_deep(_S.FUNDED),
        },
        _S.SPENDING: {
            **{event: Move(_S.SPENDING, one.way_out) for event, one in _FUNDING.items()},
            **_UNDOING,
            **_SPENDING,
            _E.DEADLINE_FINAL: Move(_S.SPENDING),
            **_deep(_S.SPENDING),
        },
        _S.INCIDENT: _incident(),
        _S.SETTLED: _ended(_S.SETTLED),
        _S.REFUNDED: _ended(_S.REFUNDED),
        _S.EXPIRED: _ended(_S.EXPIRED),
        _S.SUPERSEDED: _ended(_S.SUPERSEDED),
    }
)
"""Every state has every event of the chain; of the decisions, those that it allows."""

TERMINAL = frozenset({_S.SETTLED, _S.REFUNDED, _S.EXPIRED, _S.SUPERSEDED})

INCIDENTS: Mapping[IncidentState, Mapping[IncidentEvent, IncidentState]] = MappingProxyType(
    {
        IncidentState.OPEN: {
            IncidentEvent.SPEND_SEEN: IncidentState.RESOLVING,
            IncidentEvent.SPEND_FINAL: IncidentState.RESOLVED,
            IncidentEvent.COIN_GONE_FINAL: IncidentState.RESOLVED,
            IncidentEvent.ACCEPTED: IncidentState.RESOLVED,
        },
        IncidentState.RESOLVING: {
            IncidentEvent.SPEND_UNDONE: IncidentState.OPEN,
            IncidentEvent.SPEND_FINAL: IncidentState.RESOLVED,
            IncidentEvent.COIN_GONE_FINAL: IncidentState.RESOLVED,
        },
    }
)
"""An incident that is resolved never changes; an event without an entry changes nothing."""


def step(state: ContractState, event: ContractEvent) -> Move:
    """Where the event leads; NoSuchStepError for a decision that the state does not allow."""
    move = TABLE[state].get(event)
    if move is None:
        allowed = ", ".join(one.value for one in sorted(DECISIONS & TABLE[state].keys()))
        raise NoSuchStepError("event", f"{event.value} in state {state}", allowed or "none")
    return move


def incident_after(state: IncidentState, event: IncidentEvent) -> IncidentState:
    """The state after an event; the same where the event changes nothing."""
    return INCIDENTS.get(state, {}).get(event, state)


def mermaid() -> str:
    """The contract's table as a Mermaid state diagram; what changes no state is left out."""
    names = {state: state.value.replace(" ", "_") for state in ContractState}
    lines = ["stateDiagram-v2", f"    [*] --> {names[_S.DRAFT]}"]
    for state, row in TABLE.items():
        merged: dict[ContractState, list[str]] = {}
        for event, move in row.items():
            if move.state is not state:
                merged.setdefault(move.state, []).append(event.value)
        lines += [
            f"    {names[state]} --> {names[to]}: {'; '.join(events)}"
            for to, events in merged.items()
        ]
    lines += [f"    {names[state]} --> [*]" for state in ContractState if state in TERMINAL]
    return "\n".join(lines) + "\n"


def incident_mermaid() -> str:
    """The incident's table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {IncidentState.OPEN}"]
    for state, row in INCIDENTS.items():
        merged: dict[IncidentState, list[str]] = {}
        for event, to in row.items():
            merged.setdefault(to, []).append(event.value)
        lines += [f"    {state} --> {to}: {'; '.join(events)}" for to, events in merged.items()]
    return "\n".join([*lines, f"    {IncidentState.RESOLVED} --> [*]"]) + "\n"
