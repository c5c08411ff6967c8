"""Sites, nodes and what they say they are: streams, births, devices, metrics, alarms."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from controller.storage.tables.base import Json, id_column, metadata, version_column

sites = Table(
    "sites",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("organisation", String(63), nullable=False, server_default="own"),
    Column("name", String(200), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    version_column(),
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
    Column("hashes", Json),
    Column("next_command_seq", BigInteger, nullable=False, server_default="1"),
    Column("created_ms", BigInteger, nullable=False),
    version_column(),
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
    version_column(),
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
    id_column(),
    Column("node", ForeignKey("nodes.name"), nullable=False),
    Column("name", String(63), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("family", String(40), nullable=False),
    Column("facts", Json, nullable=False),
    Column("declared", Boolean, nullable=False),  # whether the newest birth names it
    Column("first_seen_ms", BigInteger, nullable=False),
    version_column(),
    UniqueConstraint("node", "name", name="devices_node_name"),
    sqlite_autoincrement=True,
)

metrics = Table(
    "metrics",
    metadata,
    id_column(),
    Column("name", String(80), nullable=False),
    Column("unit", String(20), nullable=False),
    Column("type", String(10), nullable=False),  # shared.messages.birth.MetricType
    UniqueConstraint("name", "unit", "type", name="metrics_meaning"),
    sqlite_autoincrement=True,
)

events = Table(  # stream and seq are NULL where the controller itself reports
    "events",
    metadata,
    id_column(),
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
    id_column(),
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
    version_column(),
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
