"""Security events and their delivery to webhooks, and how far logs were read."""

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

from controller.storage.tables.base import Json, id_column, metadata, version_column

security_events = Table(  # equal events within a window are counted on one row
    "security_events",
    metadata,
    id_column(),
    Column("kind", String(40), nullable=False),  # controller.detection.kinds.SecurityKind
    Column("severity", String(10), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("detail", Json, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),  # equal events have equal ones
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("occurrences", BigInteger, nullable=False),
    Column("acknowledged_ms", BigInteger),
    Column("acknowledged_by", String(200)),
    Column("note", String(500)),
    version_column(),
    Index("security_events_time", "first_ms", "id"),
    Index("security_events_fingerprint", "fingerprint", "id"),
    Index("security_events_kind", "kind", "first_ms", "id"),
    Index("security_events_subject", "subject", "first_ms", "id"),
    sqlite_autoincrement=True,
)
Index(
    "security_events_open",
    security_events.c.id,
    postgresql_where=security_events.c.acknowledged_ms.is_(None),
    sqlite_where=security_events.c.acknowledged_ms.is_(None),
)

webhooks = Table(  # as configured; a row for each receiver there has been
    "webhooks",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("url", String(500), nullable=False),
    Column("enabled", Integer, nullable=False),  # 1 or 0: no longer configured
)

webhook_deliveries = Table(  # one message to one receiver; the id stays the same when sent again
    "webhook_deliveries",
    metadata,
    id_column(),
    Column("webhook", ForeignKey("webhooks.name"), nullable=False),
    Column("event_id", ForeignKey("security_events.id"), nullable=False),
    Column("message_id", String(64), nullable=False, unique=True),  # the header webhook-id
    Column("body", Text, nullable=False),
    Column("state", String(20), nullable=False),  # controller.detection.deliveries.DeliveryState
    Column("attempts", Integer, nullable=False),
    Column("due_real_ms", BigInteger, nullable=False),  # a claim moves it on: a lease
    Column("first_real_ms", BigInteger),  # of the first attempt
    Column("finished_real_ms", BigInteger),
    Column("problem", String(300)),
    Index("webhook_deliveries_due", "state", "due_real_ms"),
    Index("webhook_deliveries_event", "event_id"),
    sqlite_autoincrement=True,
)

log_positions = Table(  # where reading of a log goes on after a restart
    "log_positions",
    metadata,
    Column("source", String(300), primary_key=True),
    Column("mark", String(100), nullable=False),  # of which file: device, inode, first bytes' hash
    Column("offset", BigInteger, nullable=False),
)

node_baselines = Table(  # what a node's births are compared with
    "node_baselines",
    metadata,
    Column("node", ForeignKey("nodes.name"), primary_key=True),
    Column("hashes", Json, nullable=False),  # accepted, by name
    Column("recent", Json, nullable=False),  # controller.detection.fleet_rules.Recent
    Column("updated_ms", BigInteger, nullable=False),
    version_column(),
)

cut_offs = Table(  # nodes whose live connection the broker must end, after a revocation
    "cut_offs",
    metadata,
    id_column(),
    Column("node", String(63), nullable=False),
    Column("requested_real_ms", BigInteger, nullable=False),
    Column("done", Integer, nullable=False),  # how often it was cut off since
    Column("due_real_ms", BigInteger),  # NULL: finished
    Column("problem", String(300)),
    Index("cut_offs_due", "due_real_ms"),
    sqlite_autoincrement=True,
)
