"""Security events and their delivery."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

_TABLES = (
    "security_events",
    "webhooks",
    "webhook_deliveries",
    "log_positions",
    "node_baselines",
    "cut_offs",
)


def upgrade() -> None:
    """Makes the tables."""
    _security_events()
    _webhooks()
    _watching()


def downgrade() -> None:
    """Drops the tables and what is in them."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _id() -> sa.Column[int]:
    return sa.Column("id", _SERIAL, sa.Identity(), nullable=False)


def _version() -> sa.Column[int]:
    return sa.Column("version", sa.Integer(), server_default="1", nullable=False)


def _security_events() -> None:
    op.create_table(
        "security_events",
        _id(),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("detail", _JSON, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("occurrences", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_ms", sa.BigInteger()),
        sa.Column("acknowledged_by", sa.String(length=200)),
        sa.Column("note", sa.String(length=500)),
        _version(),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("security_events_time", "security_events", ["first_ms", "id"])
    op.create_index("security_events_fingerprint", "security_events", ["fingerprint", "id"])
    op.create_index("security_events_kind", "security_events", ["kind", "first_ms", "id"])
    op.create_index("security_events_subject", "security_events", ["subject", "first_ms", "id"])
    op.create_index(
        "security_events_open",
        "security_events",
        ["id"],
        postgresql_where=sa.text("acknowledged_ms IS NULL"),
        sqlite_where=sa.text("acknowledged_ms IS NULL"),
    )


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("enabled", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "webhook_deliveries",
        _id(),
        sa.Column("webhook", sa.String(length=40), nullable=False),
        sa.Column("event_id", _SERIAL, nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_real_ms", sa.BigInteger(), nullable=False),
        sa.Column("first_real_ms", sa.BigInteger()),
        sa.Column("finished_real_ms", sa.BigInteger()),
        sa.Column("problem", sa.String(length=300)),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("message_id"),
        sa.ForeignKeyConstraint(["webhook"], ["webhooks.name"]),
        sa.ForeignKeyConstraint(["event_id"], ["security_events.id"]),
        sqlite_autoincrement=True,
    )
    op.create_index("webhook_deliveries_due", "webhook_deliveries", ["state", "due_real_ms"])
    op.create_index("webhook_deliveries_event", "webhook_deliveries", ["event_id"])


def _watching() -> None:
    op.create_table(
        "log_positions",
        sa.Column("source", sa.String(length=300), nullable=False),
        sa.Column("mark", sa.String(length=100), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "node_baselines",
        sa.Column("node", sa.String(length=63), nullable=False),
        sa.Column("hashes", _JSON, nullable=False),
        sa.Column("recent", _JSON, nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        _version(),
        sa.PrimaryKeyConstraint("node"),
        sa.ForeignKeyConstraint(["node"], ["nodes.name"]),
    )
    op.create_table(
        "cut_offs",
        _id(),
        sa.Column("node", sa.String(length=63), nullable=False),
        sa.Column("requested_real_ms", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("due_real_ms", sa.BigInteger()),
        sa.Column("problem", sa.String(length=300)),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("cut_offs_due", "cut_offs", ["due_real_ms"])
