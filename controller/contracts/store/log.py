"""The one way in which a contract changes: its next version, its event and the audit leaf."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, insert, update

from controller.audit import Leaf, queue_leaves
from controller.contracts.life import ContractEvent, ContractState, WayOut, step
from controller.errors import ConflictError
from controller.storage.tables import contract_events, contracts
from shared.messages import cbor

LEAF_KIND = "contract.step"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a contract stands, as it was read: what follows holds only if it still does."""

    contract_id: int
    state: ContractState
    version: int


@dataclass(frozen=True, slots=True)
class Told:
    """Who did something, what else to say of it, and when (business time)."""

    actor: str
    now_ms: int
    data: Mapping[str, Any] = field(default_factory=dict)

    def saying(self, **data: Any) -> "Told":
        """The same with more to say."""
        return Told(self.actor, self.now_ms, {**self.data, **data})


@dataclass(frozen=True, slots=True)
class Entry:
    """An event of the log: it makes version `place.version + 1` of the contract."""

    place: Place
    after: ContractState
    what: str
    told: Told
    way_out: WayOut | None = None
    opens_incident: bool = False

    @property
    def next_place(self) -> Place:
        """Where the contract stands after it."""
        return Place(self.place.contract_id, self.after, self.place.version + 1)


def entry_of(place: Place, event: ContractEvent, told: Told) -> Entry:
    """The entry of a life's event; `NoSuchStepError` for a decision that the state forbids."""
    move = step(place.state, event)
    return Entry(place, move.state, event.value, told, move.way_out, move.opens_incident)


_CHANGE = (
    update(contracts)
    .where(
        contracts.c.id == bindparam("at_id"),
        contracts.c.version == bindparam("at_version"),
        contracts.c.state == bindparam("at_state"),
    )
    .values(state=bindparam("to_state"), version=bindparam("to_version"))
)
_EVENTS = insert(contract_events)


def append(conn: Connection, entries: Sequence[Entry]) -> None:
    """Writes the entries, those of one contract in their order.

    `ConflictError` where a contract is not (any more) where its first entry says; nothing of the
    caller's transaction may then be committed.
    """
    if not entries:
        return
    heads: dict[int, tuple[Place, Place]] = {}
    for one in entries:
        first, last = heads.get(one.place.contract_id, (one.place, one.place))
        if last != one.place:
            raise ConflictError(f"the contract {one.place.contract_id} has changed meanwhile")
        heads[one.place.contract_id] = first, one.next_place
    changed = conn.execute(
        _CHANGE,
        [
            {
                "at_id": at.contract_id,
                "at_version": at.version,
                "at_state": at.state.value,
                "to_state": to.state.value,
                "to_version": to.version,
            }
            for _, (at, to) in sorted(heads.items())
        ],
    )
    if changed.rowcount != len(heads):
        raise ConflictError("a contract has changed meanwhile")
    conn.execute(_EVENTS, [_row(one) for one in entries])
    moments = dict.fromkeys(one.told.now_ms for one in entries)
    for now_ms in moments:
        leaves = [_leaf(one) for one in entries if one.told.now_ms == now_ms]
        queue_leaves(conn, leaves, now_ms=now_ms)


def _row(one: Entry) -> dict[str, Any]:
    return {
        "contract_id": one.place.contract_id,
        "number": one.place.version + 1,
        "what": one.what,
        "state": one.after.value,
        "way_out": None if one.way_out is None else one.way_out.value,
        "opens_incident": int(one.opens_incident),
        "actor": one.told.actor,
        "body": cbor.encode(dict(one.told.data)),
        "time_ms": one.told.now_ms,
    }


def _leaf(one: Entry) -> Leaf:
    data = {
        "event": one.what,
        "from": one.place.state.value,
        "number": one.place.version + 1,
        "to": one.after.value,
        **({} if not one.told.data else {"said": dict(one.told.data)}),
    }
    return Leaf(LEAF_KIND, one.told.actor, str(one.place.contract_id), data)
