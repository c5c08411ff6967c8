"""Snapshots as they travelled, what was thinned or cannot be read, and what is rolled up."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
)

from controller.storage.tables.base import Serial, id_column, metadata

telemetry = Table(  # one row a snapshot; aliases in `body` are those of (stream, birth)
    "telemetry",
    metadata,
    Column("stream", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("device_id", Serial, nullable=False),
    Column("birth", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    postgresql_partition_by="RANGE (time_ms)",
)
# PostgreSQL wants the partition key in every unique key; the stream's committed set decides first.
Index("telemetry_identity", telemetry.c.stream, telemetry.c.seq, unique=True).ddl_if(
    dialect="sqlite"
)
Index(
    "telemetry_identity_in_day",
    telemetry.c.stream,
    telemetry.c.seq,
    telemetry.c.time_ms,
    unique=True,
).ddl_if(dialect="postgresql")
Index("telemetry_device_time", telemetry.c.device_id, telemetry.c.time_ms)

ingested = Table(  # one row a committed telemetry batch: the roller's work list
    "ingested",
    metadata,
    id_column(),
    Column("node", String(63), nullable=False),
    Column("stream", BigInteger, nullable=False),
    Column("birth", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("rolled_ms", BigInteger),  # NULL: not yet in the roll-ups
    sqlite_autoincrement=True,
)
Index(
    "ingested_unrolled",
    ingested.c.node,
    ingested.c.id,
    postgresql_where=ingested.c.rolled_ms.is_(None),
    sqlite_where=ingested.c.rolled_ms.is_(None),
)

rollups = (
    Table(  # widths 60,000, 900,000 and 3,600,000 ms; body: CBOR {metric id: [n, lo, hi, sum]}
        "rollups",
        metadata,
        Column("device_id", Serial, nullable=False),
        Column("width_ms", Integer, nullable=False),
        Column("start_ms", BigInteger, nullable=False),
        Column("body", LargeBinary, nullable=False),
        PrimaryKeyConstraint("device_id", "width_ms", "start_ms"),
    )
)

gaps = Table(
    "gaps",
    metadata,
    id_column(),
    Column("node", ForeignKey("nodes.name"), nullable=False),
    Column("stream", BigInteger, nullable=False),
    Column("birth", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger, nullable=False),
    Column("width_ms", Integer, nullable=False),
    Column("reason", String(200), nullable=False),
    Column("body", LargeBinary, nullable=False),  # CBOR of the report's data
    Column("received_ms", BigInteger, nullable=False),
    Column("problem", String(200)),  # why its aggregates are not used; NULL: they are
    Column("rolled_ms", BigInteger),  # NULL: its rows are not yet superseded in the roll-ups
    Index("gaps_node", "node", "id"),
    sqlite_autoincrement=True,
)

gap_buckets = Table(  # body as in rollups
    "gap_buckets",
    metadata,
    Column("gap_id", ForeignKey("gaps.id"), nullable=False),
    Column("device_id", Serial, nullable=False),
    Column("width_ms", Integer, nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("gap_id", "device_id", "start_ms"),
    Index("gap_buckets_device_start", "device_id", "start_ms"),
)

quarantine = Table(  # committed rows of either kind of stream that cannot be read
    "quarantine",
    metadata,
    Column("stream", BigInteger, nullable=False, autoincrement=False),
    Column("seq", BigInteger, nullable=False, autoincrement=False),
    Column("node", ForeignKey("nodes.name"), nullable=False),
    Column("kind", String(10), nullable=False),  # of the stream
    Column("birth", BigInteger),  # that a telemetry batch named; NULL: none that can be read
    Column("body", LargeBinary, nullable=False),  # CBOR of the row as it stood in its batch
    Column("problem", String(300), nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("stream", "seq"),
    Index("quarantine_node", "node", "received_ms"),
    Index("quarantine_time", "kind", "received_ms"),
)
