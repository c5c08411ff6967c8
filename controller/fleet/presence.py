"""Whether nodes are there: sites and nodes as configured, and their `state` messages."""

from collections.abc import Iterable

from sqlalchemy import Connection, select, update

from controller.changes import ChangeKind, record_change
from controller.clock import Clock
from controller.config import SiteConfig
from controller.errors import ConflictError, MissingError
from controller.outbox.messages import send_again
from controller.storage.tables import lanes, nodes, sites
from controller.storage.upsert import insert_missing
from shared.messages.state import State

LANES = ("publish", "roll")


def enter_sites(conn: Connection, clock: Clock, configured: Iterable[SiteConfig]) -> None:
    """Enters configured sites and nodes that are not there; changes none that is.

    `ConflictError` when a node is at another site in the database: moving one is an operator's.
    """
    now_ms = clock.now_ms()
    for site in configured:
        row = {"id": site.id, "name": site.name, "created_ms": now_ms}
        insert_missing(conn, sites, [row], ["id"])
        for name in site.nodes:
            enter_node(conn, clock, name, site.id)


def enter_node(conn: Connection, clock: Clock, name: str, site_id: str, role: str = "site") -> None:
    """Enters a node at a site that is there; changes none that is.

    `ConflictError` when the node is at another site: moving one is an operator's.
    """
    node = {"name": name, "site_id": site_id, "role": role, "created_ms": clock.now_ms()}
    insert_missing(conn, nodes, [node], ["name"])
    at = conn.scalar(select(nodes.c.site_id).where(nodes.c.name == name))
    if at != site_id:
        raise ConflictError(f"node {name} is at site {at}, not at {site_id}")
    lane_rows = [{"purpose": purpose, "node": name} for purpose in LANES]
    insert_missing(conn, lanes, lane_rows, ["purpose", "node"])


def take_state(conn: Connection, clock: Clock, node: str, state: State) -> None:
    """Notes a `state` message; a node that comes online is sent its open commands again.

    Raises `MissingError` for an unknown node.
    """
    before = conn.execute(
        select(nodes).where(nodes.c.name == node).with_for_update(key_share=True)
    ).one_or_none()
    if before is None:
        raise MissingError("node", node)
    values = {
        "online": state.online,
        "state_time_ms": state.time_ms,
        "clock_synchronised": state.clock_synchronised,
        "clock_error_ms": state.clock_error_ms,
    }
    if state.online:
        values["last_seen_ms"] = clock.now_ms()
    conn.execute(update(nodes).where(nodes.c.name == node).values(**values))
    if state.online:
        send_again(conn, node)
    shown = ("online", "clock_synchronised")
    if any(getattr(before, name) != values[name] for name in shown):
        record_change(conn, clock, ChangeKind.NODE, node, node)
