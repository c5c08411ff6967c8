"""Every table of the controller, as SQLAlchemy Core.

Times are integer milliseconds since the epoch, UTC, in columns `*_ms`: business time, except
`*_real_ms`. `version` columns are for compare-and-set. Bodies are CBOR as it travelled, or written
by the module that owns the table. Telemetry is partitioned by day on PostgreSQL.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

_Json = JSON().with_variant(JSONB(), "postgresql")
_Serial = BigInteger().with_variant(Integer(), "sqlite")


def _id() -> Column[int]:
    """A number that counts up and is never used again."""
    return Column("id", _Serial, Identity(), primary_key=True)


def _version() -> Column[int]:
    return Column("version", Integer, nullable=False, server_default="1")


sites = Table(
    "sites",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("organisation", String(63), nullable=False, server_default="own"),
    Column("name", String(200), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    _version(),
)

nodes = Table(
    "nodes",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("site_id", ForeignKey("sites.id"), nullable=False),
    Column("role", String(20), nullable=False, server_default="site"),
    Column("online", Boolean),  # NULL: never heard
    Column("boot_id", String(64)),
    Column("state_time_ms", BigInteger),  # the node's own time in its last state message
    Column("clock_synchronised", Boolean),
    Column("clock_error_ms", BigInteger),
    Column("last_seen_ms", BigInteger),
    Column("software", String(200)),
    Column("telemetry_stream", BigInteger),  # of the newest birth, as are the next four
    Column("event_stream", BigInteger),
    Column("birth_number", BigInteger),
    Column("birth_received_ms", BigInteger),
    Column("hashes", _Json),
    Column("next_command_seq", BigInteger, nullable=False, server_default="1"),
    Column("created_ms", BigInteger, nullable=False),
    _version(),
    Index("nodes_site", "site_id"),
)

lanes = Table(  # rows that are locked to serialise one kind of work on one node across replicas
    "lanes",
    metadata,
    Column("purpose", String(20), primary_key=True),  # "publish" | "roll"
    Column("node", ForeignKey("nodes.name"), primary_key=True),
)

streams = Table(
    "streams",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("node", ForeignKey("nodes.name"), nullable=False),
    Column("kind", String(20), nullable=False),  # "telemetry" | "event"
    Column("committed", LargeBinary, nullable=False),  # CBOR [[first, last], ...]
    Column("gaps", LargeBinary, nullable=False),  # CBOR [[first, last], ...]
    Column("rows", BigInteger, nullable=False, server_default="0"),  # rows inserted
    Column("first_seen_ms", BigInteger, nullable=False),
    _version(),
    Index("streams_node", "node"),
)

births = Table(
    "births",
    metadata,
    Column("stream", ForeignKey("streams.id"), nullable=False),  # the telemetry stream
    Column("number", BigInteger, nullable=False),
    Column("node", ForeignKey("nodes.name"), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("stream", "number"),
)

devices = Table(
    "devices",
    metadata,
    _id(),
    Column("node", ForeignKey("nodes.name"), nullable=False),
    Column("name", String(63), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("family", String(40), nullable=False),
    Column("facts", _Json, nullable=False),
    Column("declared", Boolean, nullable=False),  # whether the newest birth names it
    Column("first_seen_ms", BigInteger, nullable=False),
    _version(),
    UniqueConstraint("node", "name", name="devices_node_name"),
    sqlite_autoincrement=True,
)

metrics = Table(
    "metrics",
    metadata,
    _id(),
    Column("name", String(80), nullable=False),
    Column("unit", String(20), nullable=False),
    Column("type", String(10), nullable=False),  # shared.messages.birth.MetricType
    UniqueConstraint("name", "unit", "type", name="metrics_meaning"),
    sqlite_autoincrement=True,
)

telemetry = Table(  # one row a snapshot; aliases in `body` are those of (stream, birth)
    "telemetry",
    metadata,
    Column("stream", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("device_id", _Serial, nullable=False),
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
    _id(),
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
        Column("device_id", _Serial, nullable=False),
        Column("width_ms", Integer, nullable=False),
        Column("start_ms", BigInteger, nullable=False),
        Column("body", LargeBinary, nullable=False),
        PrimaryKeyConstraint("device_id", "width_ms", "start_ms"),
    )
)

gaps = Table(
    "gaps",
    metadata,
    _id(),
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
    Column("device_id", _Serial, nullable=False),
    Column("width_ms", Integer, nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("gap_id", "device_id", "start_ms"),
    Index("gap_buckets_device_start", "device_id", "start_ms"),
)

events = Table(  # stream and seq are NULL where the controller itself reports
    "events",
    metadata,
    _id(),
    Column("node", String(63), nullable=False),
    Column("stream", BigInteger),
    Column("seq", BigInteger),
    Column("device", String(63)),
    Column("kind", String(20), nullable=False),  # shared.messages.event.EventKind
    Column("severity", String(10), nullable=False),
    Column("code", String(80)),  # of an alarm
    Column("time_ms", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),  # shared.messages.event.Event.decode
    UniqueConstraint("stream", "seq", name="events_identity"),
    Index("events_time", "time_ms", "id"),
    Index("events_node_time", "node", "time_ms", "id"),
    Index("events_kind_time", "kind", "time_ms", "id"),
    Index("events_alarm", "stream", "code", "device", "seq"),
    sqlite_autoincrement=True,
)

alarms = Table(  # one row each time one was raised; raised now where lowered_ms is NULL
    "alarms",
    metadata,
    _id(),
    Column("node", String(63), nullable=False),
    Column("stream", BigInteger),
    Column("device", String(63)),
    Column("code", String(80), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("text", Text, nullable=False),
    Column("raised_ms", BigInteger, nullable=False),
    Column("raised_seq", BigInteger),
    Column("lowered_ms", BigInteger),
    Column("lowered_seq", BigInteger),
    _version(),
    Index("alarms_key", "stream", "code", "device", "raised_seq"),
    Index("alarms_time", "raised_ms", "id"),
    sqlite_autoincrement=True,
)
Index(
    "alarms_raised",
    alarms.c.node,
    alarms.c.id,
    postgresql_where=alarms.c.lowered_ms.is_(None),
    sqlite_where=alarms.c.lowered_ms.is_(None),
)

commands = Table(
    "commands",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("node", ForeignKey("nodes.name"), nullable=False),
    Column("stream", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("action", String(40), nullable=False),
    Column("device", String(63)),  # of the params, where the action names one
    Column("params", _Json, nullable=False),
    Column("precondition", _Json, nullable=False),
    Column("issued_at_ms", BigInteger, nullable=False),
    Column("not_before_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("state", String(20), nullable=False),  # controller.fleet.command_life.CommandState
    Column("problem", String(40), nullable=False, server_default=""),
    Column("text", String(500), nullable=False, server_default=""),
    Column("readback", _Json),
    Column("sent_ms", BigInteger),
    Column("accepted_ms", BigInteger),
    Column("finished_ms", BigInteger),
    Column("message", LargeBinary, nullable=False),  # the signed COSE_Sign1
    _version(),
    UniqueConstraint("node", "seq", name="commands_node_seq"),
    Index("commands_time", "issued_at_ms", "id"),
    Index("commands_state", "state", "expires_at_ms"),
)

outbox = Table(  # a row goes when the broker has the message (acks) or the command is answered
    "outbox",
    metadata,
    _id(),
    Column("node", ForeignKey("nodes.name"), nullable=False),
    Column("kind", String(20), nullable=False),  # "ack" | "command"
    Column("command_id", ForeignKey("commands.id")),
    Column("seq", BigInteger),  # of the command
    Column("payload", LargeBinary, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("published_real_ms", BigInteger),  # NULL: to be sent (again)
    Column("attempts", Integer, nullable=False, server_default="0"),
    Index("outbox_command", "command_id"),
    sqlite_autoincrement=True,
)
Index(
    "outbox_pending",
    outbox.c.node,
    outbox.c.id,
    postgresql_where=outbox.c.published_real_ms.is_(None),
    sqlite_where=outbox.c.published_real_ms.is_(None),
)

changes = Table(  # what the live stream tells, in commit order; kept for an hour of real time
    "changes",
    metadata,
    _id(),
    Column("kind", String(20), nullable=False),  # controller.live.ChangeKind
    Column("node", String(63)),
    Column("subject", String(64), nullable=False),  # id of what changed, "" for telemetry
    Column("time_ms", BigInteger, nullable=False),
    Column("real_ms", BigInteger, nullable=False),
    Column("transaction", BigInteger),  # PostgreSQL: ids are not committed in their order
    sqlite_autoincrement=True,
)

audit_leaves = Table(  # tree_index is NULL until an integrator numbers the leaf into the tree
    "audit_leaves",
    metadata,
    _id(),
    Column("kind", String(40), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("body", LargeBinary, nullable=False),  # deterministic CBOR
    Column("sha256", LargeBinary, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("tree_index", BigInteger, unique=True),
    sqlite_autoincrement=True,
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("actor", String(200), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("method", String(10), nullable=False),
    Column("path", String(500), nullable=False),
    Column("request_sha256", LargeBinary, nullable=False),
    Column("status", Integer),  # NULL: being served
    Column("headers", _Json),
    Column("response", LargeBinary),
    Column("created_ms", BigInteger, nullable=False),
    Index("idempotency_keys_created", "created_ms"),
)

legal_holds = Table(  # nothing it names is deleted while released_ms is NULL
    "legal_holds",
    metadata,
    _id(),
    Column("data_class", String(20)),  # controller.retention.DataClass; NULL: every class
    Column("node", String(63)),  # NULL: every node
    Column("from_ms", BigInteger),  # of the data's own time; NULL: from the first
    Column("to_ms", BigInteger),  # exclusive; NULL: to the last
    Column("reason", String(500), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("released_ms", BigInteger),
    _version(),
    sqlite_autoincrement=True,
)

retention = Table(  # written from the configuration at the first start, by people afterwards
    "retention",
    metadata,
    Column("data_class", String(20), primary_key=True),
    Column("keep_ms", BigInteger),  # NULL: kept for ever
    Column("updated_ms", BigInteger, nullable=False),
    _version(),
)
