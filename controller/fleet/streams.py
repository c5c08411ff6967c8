"""Streams: whose they are, and which of their rows are committed or reported as gaps."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, or_, select, update

from controller.storage import spans
from controller.storage.tables import streams
from controller.storage.upsert import insert_missing
from shared.errors import BadInputError
from shared.ranges import RangeSet


class StreamKind(StrEnum):
    """Which table of the agent a stream is."""

    TELEMETRY = "telemetry"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class StreamState:
    """A stream as it stands in the database."""

    id: int
    node: str
    kind: StreamKind
    committed: RangeSet
    gaps: RangeSet
    rows: int


def lock_streams(
    conn: Connection, ids: Iterable[int], of_nodes: Iterable[str] = ()
) -> dict[int, StreamState]:
    """The streams of these ids, and of these nodes, that exist, locked against other replicas.

    Locks are taken in rising order, and before any lock on nodes, so that nobody waits in a
    circle; who may come to need a second stream of a node names the node.
    """
    query = (
        select(streams)
        .where(or_(streams.c.id.in_(sorted(set(ids))), streams.c.node.in_(sorted(set(of_nodes)))))
        .order_by(streams.c.id)
        .with_for_update(key_share=True)
    )
    return {
        row.id: StreamState(
            id=row.id,
            node=row.node,
            kind=StreamKind(row.kind),
            committed=spans.from_bytes(row.committed),
            gaps=spans.from_bytes(row.gaps),
            rows=row.rows,
        )
        for row in conn.execute(query)
    }


def gaps_of(conn: Connection, ids: Iterable[int]) -> dict[int, RangeSet]:
    """The reported ranges of streams, without locking them."""
    query = select(streams.c.id, streams.c.gaps).where(streams.c.id.in_(sorted(set(ids))))
    return {row.id: spans.from_bytes(row.gaps) for row in conn.execute(query)}


def make_stream(conn: Connection, stream: int, node: str, kind: StreamKind, now_ms: int) -> None:
    """Makes a stream that is not there yet; see `check_owner` for one that is."""
    row = {
        "id": stream,
        "node": node,
        "kind": kind.value,
        "committed": spans.EMPTY,
        "gaps": spans.EMPTY,
        "first_seen_ms": now_ms,
    }
    insert_missing(conn, streams, [row], ["id"])


def check_owner(state: StreamState, node: str, kind: StreamKind) -> None:
    """`BadInputError` when the stream is another node's or of another kind."""
    if state.node != node:
        raise BadInputError("stream", f"{state.id} belongs to another node", f"{node}'s own")
    if state.kind is not kind:
        raise BadInputError("stream", f"{state.id} is of kind {state.kind}", kind.value)


def store_committed(conn: Connection, state: StreamState, committed: RangeSet, rows: int) -> None:
    """Writes what is committed now, `rows` of it new; the stream must be locked."""
    conn.execute(
        update(streams)
        .where(streams.c.id == state.id)
        .values(
            committed=spans.to_bytes(committed),
            rows=state.rows + rows,
            version=streams.c.version + 1,
        )
    )


def store_gaps(conn: Connection, stream: int, gaps: RangeSet) -> None:
    """Writes the reported ranges; the stream must be locked."""
    conn.execute(
        update(streams)
        .where(streams.c.id == stream)
        .values(gaps=spans.to_bytes(gaps), version=streams.c.version + 1)
    )
