"""Every table of the controller, as SQLAlchemy Core; one module a room, all imported here.

Times are integer milliseconds since the epoch, UTC, in columns `*_ms`: business time, except
`*_real_ms`. `version` columns are for compare-and-set. Bodies are CBOR as it travelled, or written
by the module that owns the table. Telemetry is partitioned by day on PostgreSQL. A new room is a
module here, imported below so that the metadata is whole, and a migration.
"""

from controller.storage.tables.base import metadata
from controller.storage.tables.fleet import (
    alarms,
    births,
    devices,
    events,
    lanes,
    metrics,
    nodes,
    sites,
    streams,
)
from controller.storage.tables.records import audit_leaves, idempotency_keys, legal_holds, retention
from controller.storage.tables.sending import changes, commands, outbox
from controller.storage.tables.telemetry import gap_buckets, gaps, ingested, rollups, telemetry

__all__ = [
    "alarms",
    "audit_leaves",
    "births",
    "changes",
    "commands",
    "devices",
    "events",
    "gap_buckets",
    "gaps",
    "idempotency_keys",
    "ingested",
    "lanes",
    "legal_holds",
    "metadata",
    "metrics",
    "nodes",
    "outbox",
    "retention",
    "rollups",
    "sites",
    "streams",
    "telemetry",
]
