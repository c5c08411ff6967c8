"""The audit log: leaves, the tree over them, its heads and their timestamps, and who is behind a
trace. Nothing here but `audit_people` is ever deleted."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from controller.storage.tables.base import id_column, metadata

audit_leaves = Table(  # tree_index is NULL until an integrator numbers the leaf into the tree
    "audit_leaves",
    metadata,
    id_column(),
    Column("kind", String(40), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("body", LargeBinary, nullable=False),  # deterministic CBOR
    Column("leaf_hash", LargeBinary, nullable=False),  # RFC 6962, of the body as it was queued
    Column("created_ms", BigInteger, nullable=False),
    Column("tree_index", BigInteger, unique=True),
    Index("audit_leaves_time", "created_ms", "id"),
    Index("audit_leaves_kind", "kind", "created_ms", "id"),
    Index("audit_leaves_actor", "actor", "created_ms", "id"),
    Index("audit_leaves_subject", "subject", "created_ms", "id"),
    sqlite_autoincrement=True,
)
Index(
    "audit_leaves_queued",
    audit_leaves.c.id,
    postgresql_where=audit_leaves.c.tree_index.is_(None),
    sqlite_where=audit_leaves.c.tree_index.is_(None),
)

audit_log = Table(  # one row: the tree as it is; whoever appends holds its lock
    "audit_log",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
)

audit_tiles = Table(  # controller.audit.tiles
    "audit_tiles",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

audit_heads = Table(  # one a group of leaves
    "audit_heads",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("key_id", String(8)),  # NULL: unsigned
    Column("note", Text, nullable=False),  # controller.audit.notes
)

audit_timestamps = Table(
    "audit_timestamps",
    metadata,
    Column("size", ForeignKey("audit_heads.size"), primary_key=True, autoincrement=False),
    Column("authority", String(300), nullable=False),
    Column("response", LargeBinary, nullable=False),  # RFC 3161 TimeStampResp over the head's note
    Column("time_ms", BigInteger, nullable=False),  # as the authority says
    Column("received_ms", BigInteger, nullable=False),
)

audit_authorities = Table(  # how the timestamp authority has been answering
    "audit_authorities",
    metadata,
    Column("url", String(300), primary_key=True),
    Column("failures", Integer, nullable=False),  # since it last answered well
    Column("problem", String(300)),
    Column("problem_ms", BigInteger),
    Column("succeeded_ms", BigInteger),
)

audit_people = Table(  # whose trace is whose; a deleted row leaves the trace nobody's
    "audit_people",
    metadata,
    Column("kind", String(40), primary_key=True),
    Column("value", String(300), primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    Column("trace", String(80), nullable=False, unique=True),
    Column("created_ms", BigInteger, nullable=False),
)
