"""Contracts as a listener of the chain's follower: in the transaction that commits a block."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from controller.chain.follower.facts import Fact, FactKind
from controller.chain.follower.listeners import BlockDisconnected, BlockSeen
from controller.chain.follower.watches import watch
from controller.clock import Clock
from controller.contracts.facts import observe
from controller.contracts.life import TERMINAL
from controller.contracts.store.intent_life import TransactionState
from controller.contracts.store.log import Entry, Told, append, entry_of
from controller.contracts.store.reading import read
from controller.contracts.store.registry import (
    GAP,
    descriptor_of,
    enter_scripts,
    load,
    lock,
    place_of,
)
from controller.contracts.store.transactions import set_state, settle
from controller.storage.tables import (
    chain_blocks,
    contract_facts,
    contract_scripts,
    contract_transactions,
    contracts,
)
from controller.storage.upsert import insert_missing

CHAIN = "chain"
"""The actor of what the chain shows."""

_A_QUERY = 500


class ContractListener:
    """See `controller.chain.follower.listeners.BlockListener`.

    A contract that is born below the follower's tip is brought there by the follower's `replay`.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def connected(self, conn: Connection, seen: BlockSeen) -> None:
        """Takes in a block: its facts, what they make final, and what follows for each contract."""
        tip = seen.ref.height
        if seen.is_rescan:
            tip = max(tip, conn.scalar(select(func.max(chain_blocks.c.height))) or 0)
        rows = _fact_rows(conn, seen.facts)
        touched = {one["contract_id"] for one in rows}
        touched |= set(conn.scalars(_settling(tip))) | set(conn.scalars(_past_deadline(tip)))

        def take_in(row: Row[Any]) -> list[bytes]:
            mine = [one for one in rows if one["contract_id"] == row.id]
            insert_missing(conn, contract_facts, mine, ["kind", "outpoint_txid", "outpoint_vout"])
            _watch_on(conn, row, mine)
            return _finalise(conn, row, tip)

        for contract_id in sorted(touched):
            self._apply(conn, contract_id, seen.ref.height, take_in)

    def disconnected(self, conn: Connection, gone: BlockDisconnected) -> None:
        """Takes a block back."""
        at = (contract_facts.c.height == gone.ref.height) & (
            contract_facts.c.block_hash == gone.ref.block_hash
        )

        def take_back(row: Row[Any]) -> list[bytes]:
            mine = at & (contract_facts.c.contract_id == row.id)
            facts = conn.execute(select(contract_facts).where(mine)).all()
            conn.execute(delete(contract_facts).where(mine))
            _unmine(conn, row.id, {one.txid for one in facts})
            if any(one.is_final for one in facts):
                conn.execute(
                    update(contracts)
                    .where(contracts.c.id == row.id)
                    .values(deep_reorganisations=contracts.c.deep_reorganisations + 1)
                )
            return []

        touched = conn.scalars(select(contract_facts.c.contract_id).where(at).distinct()).all()
        for contract_id in sorted(touched):
            self._apply(conn, contract_id, gone.ref.height, take_back)

    def watch_contract(self, conn: Connection, contract_id: int) -> None:
        """Watches the scripts of a new contract, in the transaction that made it."""
        scripts = select(contract_scripts.c.script_pubkey).where(
            contract_scripts.c.contract_id == contract_id
        )
        watch(conn, list(conn.scalars(scripts)))

    def _apply(
        self,
        conn: Connection,
        contract_id: int,
        height: int,
        change: Callable[[Row[Any]], list[bytes]],
    ) -> None:
        """The events between the readings before and after the change, one after another."""
        row = lock(conn, contract_id)
        place = place_of(row)
        before = read(conn, row)
        final = change(row)
        told = Told(CHAIN, self._clock.now_ms(), {"height": height})
        entries: list[Entry] = []
        for txid in final:
            entries.append(Entry(place, place.state, "transaction final", told.saying(txid=txid)))
            place = entries[-1].next_place
        for event in observe(before, read(conn, lock(conn, contract_id)), load(row).amounts_sat):
            entries.append(entry_of(place, event, told))
            place = entries[-1].next_place
        append(conn, entries)


def _fact_rows(conn: Connection, facts: Sequence[Fact]) -> list[dict[str, Any]]:
    scripts = sorted({one.script_pubkey for one in facts})
    at: dict[bytes, Row[Any]] = {}
    for first in range(0, len(scripts), _A_QUERY):
        some = contract_scripts.c.script_pubkey.in_(scripts[first : first + _A_QUERY])
        found = conn.execute(select(contract_scripts).where(some))
        at |= {row.script_pubkey: row for row in found}
    return [
        {
            "contract_id": at[one.script_pubkey].contract_id,
            "kind": one.kind.value,
            "txid": one.txid,
            "outpoint_txid": one.outpoint.txid,
            "outpoint_vout": one.outpoint.vout,
            "part": at[one.script_pubkey].part,
            "branch": at[one.script_pubkey].branch,
            "number": at[one.script_pubkey].number,
            "amount_sat": one.amount_sat,
            "is_coinbase": int(one.is_coinbase),
            "height": one.height,
            "block_hash": one.block_hash,
        }
        for one in facts
        if one.script_pubkey in at
    ]


def _watch_on(conn: Connection, row: Row[Any], facts: list[dict[str, Any]]) -> None:
    """Keeps the gap beyond the last output that was used."""
    used: dict[tuple[str, int], int] = {}
    for one in facts:
        if one["kind"] == FactKind.RECEIVED.value:
            place = one["part"], one["branch"]
            used[place] = max(used.get(place, 0), one["number"])
    for (part, branch), number in used.items():
        at = row.id, part, branch
        new = enter_scripts(conn, at, descriptor_of(row, part), number + 1 + GAP)
        if new:
            watch(conn, new)


def _settling(tip: int) -> Any:
    return (
        select(contract_facts.c.contract_id)
        .join(contracts, contracts.c.id == contract_facts.c.contract_id)
        .where(
            contract_facts.c.is_final == 0,
            contract_facts.c.height + contracts.c.finality_depth - 1 <= tip,
        )
        .distinct()
    )


def _past_deadline(tip: int) -> Any:
    return select(contracts.c.id).where(
        contracts.c.is_past_deadline == 0,
        contracts.c.funding_deadline_height + contracts.c.finality_depth <= tip,
        contracts.c.state.notin_([one.value for one in TERMINAL]),
    )


def _finalise(conn: Connection, row: Row[Any], tip: int) -> list[bytes]:
    """Marks what is finality-deep by now; our transactions that became final."""
    conn.execute(
        update(contracts)
        .where(
            contracts.c.id == row.id,
            contracts.c.funding_deadline_height + contracts.c.finality_depth <= tip,
        )
        .values(is_past_deadline=1)
    )
    deep = (
        (contract_facts.c.contract_id == row.id)
        & (contract_facts.c.is_final == 0)
        & (contract_facts.c.height + row.finality_depth - 1 <= tip)
    )
    spends = deep & (contract_facts.c.kind == FactKind.SPENT.value)
    txids = conn.scalars(select(contract_facts.c.txid).where(spends).distinct()).all()
    conn.execute(update(contract_facts).where(deep).values(is_final=1))
    return settle(conn, row.id, sorted(txids))


def _unmine(conn: Connection, contract_id: int, txids: set[bytes]) -> None:
    """What was mined in the block and is not final has to be broadcast again."""
    mined = conn.scalars(
        select(contract_transactions.c.txid).where(
            contract_transactions.c.contract_id == contract_id,
            contract_transactions.c.txid.in_(txids),
            contract_transactions.c.state == TransactionState.BROADCAST.value,
        )
    ).all()
    if mined:
        set_state(conn, contract_id, list(mined), TransactionState.SIGNED)
