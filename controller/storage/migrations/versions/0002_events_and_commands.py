"""What nodes tell and what they are told."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

_TABLES = (
    "events",
    "alarms",
    "commands",
    "outbox",
    "changes",
)


def upgrade() -> None:
    """Makes the tables."""
    _events()
    _alarms()
    _commands()
    _outbox()
    _changes()


def downgrade() -> None:
    """Drops the tables and what is in them."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _id() -> sa.Column[int]:
    return sa.Column("id", _SERIAL, sa.Identity(), nullable=False)


def _events() -> None:
    op.create_table(
        "events",
        _id(),
        sa.Column("node", sa.String(length=63), nullable=False),
        sa.Column("stream", sa.BigInteger()),
        sa.Column("seq", sa.BigInteger()),
        sa.Column("device", sa.String(length=63)),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("code", sa.String(length=80)),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("stream", "seq", name="events_identity"),
        sqlite_autoincrement=True,
    )
    op.create_index("events_alarm", "events", ["stream", "code", "device", "seq"])
    op.create_index("events_kind_time", "events", ["kind", "time_ms", "id"])
    op.create_index("events_node_time", "events", ["node", "time_ms", "id"])
    op.create_index("events_time", "events", ["time_ms", "id"])


def _alarms() -> None:
    op.create_table(
        "alarms",
        _id(),
        sa.Column("node", sa.String(length=63), nullable=False),
        sa.Column("stream", sa.BigInteger()),
        sa.Column("device", sa.String(length=63)),
        sa.Column("code", sa.String(length=80), nullable=False),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("raised_ms", sa.BigInteger(), nullable=False),
        sa.Column("raised_seq", sa.BigInteger()),
        sa.Column("lowered_ms", sa.BigInteger()),
        sa.Column("lowered_seq", sa.BigInteger()),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("alarms_key", "alarms", ["stream", "code", "device", "raised_seq"])
    op.create_index(
        "alarms_raised",
        "alarms",
        ["node", "id"],
        postgresql_where=sa.text("lowered_ms IS NULL"),
        sqlite_where=sa.text("lowered_ms IS NULL"),
    )
    op.create_index("alarms_time", "alarms", ["raised_ms", "id"])


def _commands() -> None:
    op.create_table(
        "commands",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("node", sa.String(length=63), nullable=False),
        sa.Column("stream", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("device", sa.String(length=63)),
        sa.Column(
            "params",
            _JSON,
            nullable=False,
        ),
        sa.Column(
            "precondition",
            _JSON,
            nullable=False,
        ),
        sa.Column("issued_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("not_before_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("problem", sa.String(length=40), server_default="", nullable=False),
        sa.Column("text", sa.String(length=500), server_default="", nullable=False),
        sa.Column(
            "readback",
            _JSON,
        ),
        sa.Column("sent_ms", sa.BigInteger()),
        sa.Column("accepted_ms", sa.BigInteger()),
        sa.Column("finished_ms", sa.BigInteger()),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["node"],
            ["nodes.name"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("node", "seq", name="commands_node_seq"),
    )
    op.create_index("commands_state", "commands", ["state", "expires_at_ms"])
    op.create_index("commands_time", "commands", ["issued_at_ms", "id"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        _id(),
        sa.Column("node", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("command_id", sa.String(length=64)),
        sa.Column("seq", sa.BigInteger()),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("published_real_ms", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["command_id"],
            ["commands.id"],
        ),
        sa.ForeignKeyConstraint(
            ["node"],
            ["nodes.name"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("outbox_command", "outbox", ["command_id"])
    op.create_index(
        "outbox_pending",
        "outbox",
        ["node", "id"],
        postgresql_where=sa.text("published_real_ms IS NULL"),
        sqlite_where=sa.text("published_real_ms IS NULL"),
    )


def _changes() -> None:
    op.create_table(
        "changes",
        _id(),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("node", sa.String(length=63)),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("real_ms", sa.BigInteger(), nullable=False),
        sa.Column("transaction", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
