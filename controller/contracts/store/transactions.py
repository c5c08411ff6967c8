"""Transactions of a contract: drafted, signed, broadcast, final."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from controller.contracts.facts import observe
from controller.contracts.history import History, Signed
from controller.contracts.intents import ID_BYTES, Kind
from controller.contracts.paths import ContractPath, Outcome
from controller.contracts.store.intent_life import TransactionState, transactions_before
from controller.contracts.store.intents import end_intents, sign_intents
from controller.contracts.store.log import Entry, Place, Told, append, entry_of
from controller.contracts.store.reading import history, places_of, read, split
from controller.contracts.store.registry import load, lock, place_of
from controller.errors import ConflictError, MissingError
from controller.storage.tables import contract_transactions

_State = TransactionState


@dataclass(frozen=True, slots=True)
class Made:
    """A transaction as a judge of `rules` let it into the history, and by which path it spends.

    `approval` is the cancel's own intent, `ancestors` are our transactions that it descends from.
    """

    signed: Signed
    path: str
    outcome: Outcome
    approval: bytes | None = None
    ancestors: tuple[bytes, ...] = ()

    @classmethod
    def of(
        cls, signed: Signed, path: ContractPath, known: History, approval: bytes | None = None
    ) -> "Made":
        """With its ancestors as the history has them."""
        ancestors = sorted(known.lineage(signed).keys() - {signed.txid})
        return cls(signed, path.name, path.outcome, approval, tuple(ancestors))


def record_draft(conn: Connection, place: Place, made: Made, told: Told) -> Place:
    """Keeps a draft before anybody is asked to sign it. `ConflictError` where it is known."""
    known = select(contract_transactions.c.txid).where(
        contract_transactions.c.txid == made.signed.txid
    )
    if conn.execute(known).first() is not None:
        raise ConflictError(f"{made.signed.transaction.hex} was drafted before")
    entry = Entry(place, place.state, "drafted", _said(made, told))
    append(conn, [entry])
    conn.execute(_ENTER, [_row(made, place, _State.DRAFTED)])
    return entry.next_place


def record_signed(conn: Connection, place: Place, made: Made, told: Told) -> Place:
    """See `record_signed_many`."""
    return record_signed_many(conn, place, [made], told)


def record_signed_many(conn: Connection, place: Place, many: Sequence[Made], told: Told) -> Place:
    """Keeps signed transactions, drafted before or not, each with its event: persist before acting.

    No signature leaves before this has committed. `ConflictError` where the contract has changed
    since the history that they were judged by was read, an intent has ended, or one of them was
    signed before.
    """
    entries = []
    for one in many:
        entries.append(Entry(place, place.state, "signed", _said(one, told)))
        place = entries[-1].next_place
    append(conn, entries)
    asked = {intent for one in many for intent in one.signed.intents}
    asked |= {one.approval for one in many if one.approval is not None}
    sign_intents(conn, place.contract_id, asked)
    known = _states(conn, [one.signed.txid for one in many])
    if any(state != _State.DRAFTED.value for state in known.values()):
        raise ConflictError("a transaction was signed before")
    rows = [_row(one, entry.place, _State.SIGNED) for one, entry in zip(many, entries, strict=True)]
    new = [one for one in rows if one["txid"] not in known]
    if new:
        conn.execute(_ENTER, new)
    drafted = [one for one in rows if one["txid"] in known]
    if drafted:
        _sign_drafts(conn, drafted)
    return place


def _sign_drafts(conn: Connection, rows: list[dict[str, Any]]) -> None:
    changed = conn.execute(
        update(contract_transactions)
        .where(
            contract_transactions.c.txid == bindparam("at_txid"),
            contract_transactions.c.contract_id == bindparam("at_contract"),
            contract_transactions.c.state == _State.DRAFTED.value,
        )
        .values(state=_State.SIGNED.value, raw=bindparam("signed"), number=bindparam("at_number")),
        [
            {
                "at_txid": one["txid"],
                "at_contract": one["contract_id"],
                "signed": one["raw"],
                "at_number": one["number"],
            }
            for one in rows
        ],
    )
    if changed.rowcount != len(rows):
        raise ConflictError("a draft has changed meanwhile, or is another contract's")


def record_broadcast(conn: Connection, place: Place, txid: bytes, told: Told) -> Place:
    """Told before it is sent, so that a crash sends it again; what the contract then shows follows
    as events. Broadcasting again writes no row anew."""
    row = lock(conn, place.contract_id)
    if place_of(row) != place:
        raise ConflictError(f"the contract {place.contract_id} has changed meanwhile")
    state = _states(conn, [txid]).get(txid)
    if state is None:
        raise MissingError("transaction", txid[::-1].hex())
    before = read(conn, row)
    if state != _State.BROADCAST.value:
        set_state(conn, place.contract_id, [txid], _State.BROADCAST)
    agreed = load(row).amounts_sat
    entry = Entry(place, place.state, "broadcast", told.saying(txid=txid))
    entries = [entry]
    for event in observe(before, read(conn, row), agreed):
        entries.append(entry_of(entries[-1].next_place, event, told))
    append(conn, entries)
    return entries[-1].next_place


def set_state(conn: Connection, contract_id: int, txids: list[bytes], to: TransactionState) -> None:
    """`ConflictError` unless every one of them may come into that state."""
    changed = conn.execute(
        update(contract_transactions)
        .where(
            contract_transactions.c.contract_id == contract_id,
            contract_transactions.c.txid.in_(txids),
            contract_transactions.c.state.in_(transactions_before(to)),
        )
        .values(state=to.value)
    )
    if changed.rowcount != len(set(txids)):
        raise ConflictError(f"a transaction cannot become {to.value}")


def settle(conn: Connection, contract_id: int, txids: Sequence[bytes]) -> list[bytes]:
    """These are finality-deep: they end their intents, and what they exclude is replaced.

    The ids of those that are ours and were not final before.
    """
    done = []
    for txid in txids:
        row = conn.execute(
            select(contract_transactions).where(
                contract_transactions.c.txid == txid,
                contract_transactions.c.contract_id == contract_id,
                contract_transactions.c.state.in_(transactions_before(_State.FINAL)),
            )
        ).one_or_none()
        if row is None:
            continue
        set_state(conn, contract_id, [txid], _State.FINAL)
        end_intents(conn, Kind(row.kind), split(row.intents, ID_BYTES), row.approval)
        done.append(txid)
    if done:
        known = history(conn, contract_id)
        dead = [one.txid for one in known.signed if known.is_dead(one)]
        alive = _states(conn, dead)
        open_states = transactions_before(_State.REPLACED)
        gone = [txid for txid, state in alive.items() if state in open_states]
        if gone:
            set_state(conn, contract_id, gone, _State.REPLACED)
    return done


def find_transaction(conn: Connection, txid: bytes) -> Row[Any]:
    """Its row; `MissingError` where there is none."""
    row = conn.execute(
        select(contract_transactions).where(contract_transactions.c.txid == txid)
    ).one_or_none()
    if row is None:
        raise MissingError("transaction", txid[::-1].hex())
    return row


def _states(conn: Connection, txids: Sequence[bytes]) -> dict[bytes, str]:
    query = select(contract_transactions.c.txid, contract_transactions.c.state).where(
        contract_transactions.c.txid.in_(txids)
    )
    return {row.txid: row.state for row in conn.execute(query)} if txids else {}


_ENTER = insert(contract_transactions)


def _row(made: Made, place: Place, state: TransactionState) -> dict[str, Any]:
    one = made.signed
    return {
        "txid": one.txid,
        "contract_id": place.contract_id,
        "kind": one.kind.value,
        "path": made.path,
        "outcome": made.outcome.value,
        "intents": b"".join(sorted(one.intents)),
        "approval": made.approval,
        "ancestors": b"".join(made.ancestors),
        "own": places_of(sorted(one.own)),
        "fee_sat": one.fee_sat,
        "raw": one.transaction.serialise(),
        "state": state.value,
        "number": place.version + 1,
    }


def _said(made: Made, told: Told) -> Told:
    one = made.signed
    return told.saying(
        txid=one.txid,
        kind=one.kind.value,
        path=made.path,
        intents=sorted(one.intents),
        fee_sat=one.fee_sat,
    )
