"""What goes out: commands, the transactional outbox, the changes that the live stream tells."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from controller.storage.tables.base import Json, id_column, metadata, version_column

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
    Column("params", Json, nullable=False),
    Column("precondition", Json, nullable=False),
    Column("issued_at_ms", BigInteger, nullable=False),
    Column("not_before_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("state", String(20), nullable=False),  # controller.fleet.command_life.CommandState
    Column("problem", String(40), nullable=False, server_default=""),
    Column("text", String(500), nullable=False, server_default=""),
    Column("readback", Json),
    Column("sent_ms", BigInteger),
    Column("accepted_ms", BigInteger),
    Column("finished_ms", BigInteger),
    Column("message", LargeBinary, nullable=False),  # the signed COSE_Sign1
    version_column(),
    UniqueConstraint("node", "seq", name="commands_node_seq"),
    Index("commands_time", "issued_at_ms", "id"),
    Index("commands_state", "state", "expires_at_ms"),
)

outbox = Table(  # a row goes when the broker has the message (acks) or the command is answered
    "outbox",
    metadata,
    id_column(),
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
    id_column(),
    Column("kind", String(20), nullable=False),  # controller.live.ChangeKind
    Column("node", String(63)),
    Column("subject", String(64), nullable=False),  # id of what changed, "" for telemetry
    Column("time_ms", BigInteger, nullable=False),
    Column("real_ms", BigInteger, nullable=False),
    Column("transaction", BigInteger),  # PostgreSQL: ids are not committed in their order
    sqlite_autoincrement=True,
)
