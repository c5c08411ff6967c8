"""One writer a node: certificates of a node are issued and revoked in turn across replicas."""

from sqlalchemy import Connection, select

from controller.storage.tables import nodes


def lock_node(conn: Connection, node: str) -> None:
    """Holds the node until the transaction ends; telemetry that refers to it goes on meanwhile."""
    conn.execute(
        select(nodes.c.name).where(nodes.c.name == node).with_for_update(key_share=True)
    ).first()
