"""The rows of a contract as the pure core reads them."""

import struct
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from controller.chain.follower.facts import FactKind
from controller.contracts.facts import CoinFact, Reading, SpendFact
from controller.contracts.history import History, Signed
from controller.contracts.intents import ID_BYTES, Kind
from controller.contracts.paths import Outcome
from controller.contracts.store.intent_life import TransactionState
from controller.storage.tables import contract_facts, contract_transactions
from shared.bitcoin.transaction import OutPoint, Transaction

_TXID_BYTES = 32
_DRAFTED = TransactionState.DRAFTED.value


def read(conn: Connection, row: Row[Any]) -> Reading:
    """What the chain shows of the contract: facts of blocks, and what was broadcast of ours."""
    facts = conn.execute(
        select(contract_facts)
        .where(contract_facts.c.contract_id == row.id)
        .order_by(contract_facts.c.id)
    ).all()
    ours = _transactions(conn, row.id)
    outcomes = {one.txid: Outcome(one.outcome) for one in ours}
    spends: dict[OutPoint, SpendFact] = {}
    for one in ours:
        if one.state == TransactionState.BROADCAST.value:
            for spent in Transaction.parse(one.raw).inputs:
                spends[spent.outpoint] = SpendFact(one.txid, outcomes[one.txid])
    for fact in facts:
        if fact.kind == FactKind.SPENT.value:
            spend = SpendFact(fact.txid, outcomes.get(fact.txid), is_final=bool(fact.is_final))
            spends[_outpoint(fact)] = spend
    coins = tuple(
        CoinFact(_outpoint(one), one.part, one.amount_sat, spends.get(_outpoint(one)))
        for one in facts
        if one.kind == FactKind.RECEIVED.value
    )
    return Reading(coins, bool(row.is_past_deadline), row.deep_reorganisations)


def history(conn: Connection, contract_id: int) -> History:
    """Everything that was signed for the contract, for `rules`."""
    ours = [one for one in _transactions(conn, contract_id) if one.state != _DRAFTED]
    final = frozenset(one.txid for one in ours if one.state == TransactionState.FINAL.value)
    made_here = {one.txid for one in ours}
    received = conn.execute(
        select(contract_facts).where(
            contract_facts.c.contract_id == contract_id,
            contract_facts.c.kind == FactKind.RECEIVED.value,
            contract_facts.c.is_final == 1,
        )
    )
    coins = frozenset(_outpoint(one) for one in received if one.txid not in made_here)
    return History(tuple(map(signed_of, ours)), final, coins)


def signed_of(row: Row[Any]) -> Signed:
    """A transaction's row as the history has it."""
    return Signed(
        Kind(row.kind),
        frozenset(split(row.intents, ID_BYTES)),
        Transaction.parse(row.raw),
        frozenset(place for (place,) in struct.iter_unpack("<I", row.own)),
        row.fee_sat,
    )


def places_of(own: Sequence[int]) -> bytes:
    """The places of own outputs as they are stored."""
    return struct.pack(f"<{len(own)}I", *own)


def split(stored: bytes, size: int) -> list[bytes]:
    """The ids that stand one after another."""
    return [stored[at : at + size] for at in range(0, len(stored), size)]


def ancestors_of(row: Row[Any]) -> list[bytes]:
    """The ids of our transactions that this one descends from."""
    return split(row.ancestors, _TXID_BYTES)


def _transactions(conn: Connection, contract_id: int) -> Sequence[Row[Any]]:
    return conn.execute(
        select(contract_transactions)
        .where(contract_transactions.c.contract_id == contract_id)
        .order_by(contract_transactions.c.number)
    ).all()


def _outpoint(fact: Row[Any]) -> OutPoint:
    return OutPoint(fact.outpoint_txid, fact.outpoint_vout)
