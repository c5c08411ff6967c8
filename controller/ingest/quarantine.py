"""Rows that cannot be read, kept as they came and acked: they hold nothing up and are not lost.

Bounded a node: beyond the bound they are left with the node, which keeps what is not acked within
a bound of its own. Retention deletes them with their class of data.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, select

from controller.clock import Clock
from controller.detection.kinds import SecurityKind
from controller.detection.report import report
from controller.fleet.alarms import raise_own_alarm
from controller.fleet.streams import StreamState
from controller.ingest.salvage import UnreadableRow
from controller.storage.tables import quarantine
from shared.errors import BadInputError

MOST_ROWS_A_NODE = 10_000
_MOST_PROBLEM = 300


def keep_unreadable(
    conn: Connection,
    clock: Clock,
    state: StreamState,
    birth: int | None,
    rows: Sequence[UnreadableRow],
) -> None:
    """Keeps rows of the stream, which is locked, that are not committed yet; each number once.

    Raises an alarm of the controller's own and reports a security event. `BadInputError` when the
    node has as many there as it may: nothing of them is kept then.
    """
    held = conn.scalar(select(func.count()).where(quarantine.c.node == state.node)) or 0
    if held + len(rows) > MOST_ROWS_A_NODE:
        raise BadInputError(
            "rows", f"{held} that cannot be read are kept of this node", f"{MOST_ROWS_A_NODE}"
        )
    now_ms = clock.now_ms()
    conn.execute(
        insert(quarantine),
        [
            {
                "stream": state.id,
                "seq": row.seq,
                "node": state.node,
                "kind": state.kind.value,
                "birth": birth,
                "body": row.raw,
                "problem": _told(row.problem),
                "received_ms": now_ms,
            }
            for row in rows
        ],
    )
    first = rows[0]
    text = f"row {first.seq} is kept as it came: {first.problem}".replace("\x00", "")
    code = f"{state.kind.value}-unreadable"
    raise_own_alarm(conn, clock, state.node, code, text[:_MOST_PROBLEM])
    report(
        conn,
        kind=SecurityKind.MESSAGE_REFUSED,
        subject=state.node,
        detail={"channel": state.kind.value, "field": first.problem.field, "kept": "quarantine"},
        now_ms=now_ms,
        times=len(rows),
    )


def _told(problem: BadInputError) -> str:
    return str(problem).replace("\x00", "")[:_MOST_PROBLEM]
