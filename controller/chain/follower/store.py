"""The follower's rows: state, blocks, watches and facts. Every function takes a connection."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from controller.chain.blocks import BlockHeader
from controller.chain.follower.facts import Fact, FactKind, Owned
from controller.chain.follower.state import HaltKind
from controller.chain.values import HeaderAt
from controller.storage.tables import chain_blocks, chain_facts, chain_state, chain_watches
from controller.storage.upsert import insert_missing
from shared.bitcoin.transaction import OutPoint

_ID = 1
_BATCH = 200


@dataclass(frozen=True, slots=True)
class StateRow:
    """The one row of `chain_state`."""

    network: str
    start_height: int
    halted_kind: str | None
    halted_problem: str | None
    version: int


def read_state(conn: Connection, *, locked: bool = False) -> StateRow | None:
    """The row, None before the first start; `locked` keeps others from changing anything."""
    query = select(chain_state)
    row = conn.execute(query.with_for_update() if locked else query).first()
    if row is None:
        return None
    return StateRow(row.network, row.start_height, row.halted_kind, row.halted_problem, row.version)


def begin(conn: Connection, network: str, blocks: Sequence[HeaderAt]) -> None:
    """Makes the row; facts begin above the last of these. Does nothing if it is there.

    Of two processes that begin at once the second waits for the first's row, and sees its blocks.
    """
    row = {"id": _ID, "network": network, "start_height": blocks[-1].height}
    insert_missing(conn, chain_state, [row], ["id"])
    if not read_blocks(conn):
        set_blocks(conn, blocks)


def advance_version(conn: Connection, version: int) -> bool:
    """Compare-and-set: False if somebody else changed something since `version` was read."""
    changed = conn.execute(
        update(chain_state)
        .where(chain_state.c.id == _ID, chain_state.c.version == version)
        .values(version=version + 1)
    )
    return changed.rowcount == 1


def halt(conn: Connection, kind: HaltKind, problem: str) -> None:
    """Writes down why it stopped."""
    values = {"halted_kind": kind.value, "halted_problem": problem[:500]}
    conn.execute(update(chain_state).values(values))


def end_halt(conn: Connection) -> None:
    """It goes on."""
    conn.execute(update(chain_state).values(halted_kind=None, halted_problem=None))


def read_blocks(conn: Connection) -> tuple[tuple[int, BlockHeader], ...]:
    """The blocks kept, lowest first."""
    rows = conn.execute(
        select(chain_blocks.c.height, chain_blocks.c.header).order_by(chain_blocks.c.height)
    )
    return tuple((row.height, BlockHeader.parse(row.header)) for row in rows)


def put_block(conn: Connection, at: HeaderAt, depth: int) -> None:
    """Adds the newest block and forgets those that no reorganisation may reach."""
    conn.execute(insert(chain_blocks).values(_block_row(at)))
    conn.execute(delete(chain_blocks).where(chain_blocks.c.height < at.height - depth))


def drop_block(conn: Connection, height: int) -> BlockHeader:
    """Removes the newest block, and returns its header."""
    at_height = chain_blocks.c.height == height
    header: bytes = conn.execute(select(chain_blocks.c.header).where(at_height)).scalar_one()
    conn.execute(delete(chain_blocks).where(at_height))
    return BlockHeader.parse(header)


def set_blocks(conn: Connection, blocks: Sequence[HeaderAt]) -> None:
    """Puts these in the place of all that were kept."""
    conn.execute(delete(chain_blocks))
    conn.execute(insert(chain_blocks), [_block_row(one) for one in blocks])


def watches_after(conn: Connection, last_id: int) -> list[tuple[int, bytes]]:
    """Watched scripts with a higher id, in its order."""
    rows = conn.execute(
        select(chain_watches.c.id, chain_watches.c.script_pubkey)
        .where(chain_watches.c.id > last_id)
        .order_by(chain_watches.c.id)
    )
    return [(row.id, row.script_pubkey) for row in rows]


def owned_among(conn: Connection, outpoints: Iterable[OutPoint]) -> dict[OutPoint, Owned]:
    """Which of these outputs a fact told of, and what it said."""
    wanted = set(outpoints)
    txids = sorted({one.txid for one in wanted})
    found: dict[OutPoint, Owned] = {}
    for at in range(0, len(txids), _BATCH):
        rows = conn.execute(
            select(chain_facts).where(
                chain_facts.c.kind == FactKind.RECEIVED.value,
                chain_facts.c.outpoint_txid.in_(txids[at : at + _BATCH]),
            )
        )
        for row in rows:
            outpoint = OutPoint(row.outpoint_txid, row.outpoint_vout)
            if outpoint in wanted:
                found[outpoint] = Owned(row.script_pubkey, row.amount_sat, bool(row.is_coinbase))
    return found


def has_facts(conn: Connection) -> bool:
    """Whether there is any, so that a block's inputs need looking up."""
    return conn.execute(select(chain_facts.c.id).limit(1)).first() is not None


def put_facts(conn: Connection, facts: Sequence[Fact]) -> None:
    """Adds a block's facts."""
    if facts:
        conn.execute(insert(chain_facts), [_fact_row(one) for one in facts])


def missing_facts(conn: Connection, facts: Sequence[Fact]) -> tuple[Fact, ...]:
    """Those that are not there yet."""
    if not facts:
        return ()
    known = set(facts_at(conn, facts[0].height))
    return tuple(one for one in facts if one not in known)


def facts_at(conn: Connection, height: int) -> tuple[Fact, ...]:
    """The facts of the block at this height, in the order they were told."""
    query = select(chain_facts).where(chain_facts.c.height == height).order_by(chain_facts.c.id)
    return tuple(map(_fact, conn.execute(query)))


def drop_facts(conn: Connection, height: int) -> tuple[Fact, ...]:
    """Takes back the facts of the block at this height, and returns them."""
    facts = facts_at(conn, height)
    conn.execute(delete(chain_facts).where(chain_facts.c.height == height))
    return facts


def fact_heights_above(conn: Connection, height: int) -> list[int]:
    """The heights above this one that have facts, highest first."""
    column = chain_facts.c.height
    rows = conn.execute(select(column).where(column > height).distinct())
    return sorted((row.height for row in rows), reverse=True)


def facts_of_script(conn: Connection, script_pubkey: bytes) -> tuple[Fact, ...]:
    """All facts of a watched script, oldest block first."""
    rows = conn.execute(
        select(chain_facts)
        .where(chain_facts.c.script_pubkey == script_pubkey)
        .order_by(chain_facts.c.height, chain_facts.c.id)
    )
    return tuple(map(_fact, rows))


def count_facts(conn: Connection) -> int:
    """How many facts there are."""
    counted: int = conn.execute(select(func.count()).select_from(chain_facts)).scalar_one()
    return counted


def _block_row(at: HeaderAt) -> dict[str, Any]:
    header = at.header
    return {"height": at.height, "block_hash": header.block_hash, "header": header.serialise()}


def _fact_row(fact: Fact) -> dict[str, Any]:
    return {
        "kind": fact.kind.value,
        "txid": fact.txid,
        "position": fact.position,
        "outpoint_txid": fact.outpoint.txid,
        "outpoint_vout": fact.outpoint.vout,
        "script_pubkey": fact.script_pubkey,
        "amount_sat": fact.amount_sat,
        "is_coinbase": int(fact.is_coinbase),
        "height": fact.height,
        "block_hash": fact.block_hash,
    }


def _fact(row: Row[Any]) -> Fact:
    return Fact(
        FactKind(row.kind),
        row.txid,
        row.position,
        OutPoint(row.outpoint_txid, row.outpoint_vout),
        row.script_pubkey,
        row.amount_sat,
        bool(row.is_coinbase),
        row.height,
        row.block_hash,
    )
