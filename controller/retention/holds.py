"""The legal holds that are in force, read where something is about to be deleted."""

from sqlalchemy import Connection, select

from controller.retention.classes import DataClass
from controller.retention.plan import Hold
from controller.storage.tables import legal_holds


def holds_in_force(conn: Connection) -> list[Hold]:
    """Every hold that was not released."""
    rows = conn.execute(select(legal_holds).where(legal_holds.c.released_ms.is_(None)))
    return [
        Hold(
            data_class=None if row.data_class is None else DataClass(row.data_class),
            node=row.node,
            from_ms=row.from_ms,
            to_ms=row.to_ms,
        )
        for row in rows
    ]
