"""Sites, nodes and what they measure."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

_TABLES = (
    "sites",
    "nodes",
    "lanes",
    "streams",
    "births",
    "devices",
    "metrics",
    "telemetry",
    "ingested",
    "rollups",
    "gaps",
    "gap_buckets",
)


def upgrade() -> None:
    """Makes the tables."""
    _sites()
    _nodes()
    _lanes()
    _streams()
    _births()
    _devices()
    _metrics()
    _telemetry()
    _ingested()
    _rollups()
    _gaps()
    _gap_buckets()


def downgrade() -> None:
    """Drops the tables and what is in them."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _id() -> sa.Column[int]:
    return sa.Column("id", _SERIAL, sa.Identity(), nullable=False)


def _sites() -> None:
    op.create_table(
        "sites",
        sa.Column("id", sa.String(length=63), nullable=False),
        sa.Column("organisation", sa.String(length=63), server_default="own", nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _nodes() -> None:
    op.create_table(
        "nodes",
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("site_id", sa.String(length=63), nullable=False),
        sa.Column("role", sa.String(length=20), server_default="site", nullable=False),
        sa.Column("online", sa.Boolean()),
        sa.Column("boot_id", sa.String(length=64)),
        sa.Column("state_time_ms", sa.BigInteger()),
        sa.Column("clock_synchronised", sa.Boolean()),
        sa.Column("clock_error_ms", sa.BigInteger()),
        sa.Column("last_seen_ms", sa.BigInteger()),
        sa.Column("software", sa.String(length=200)),
        sa.Column("telemetry_stream", sa.BigInteger()),
        sa.Column("event_stream", sa.BigInteger()),
        sa.Column("birth_number", sa.BigInteger()),
        sa.Column("birth_received_ms", sa.BigInteger()),
        sa.Column(
            "hashes",
            _JSON,
        ),
        sa.Column("next_command_seq", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["site_id"],
            ["sites.id"],
        ),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("nodes_site", "nodes", ["site_id"])


def _lanes() -> None:
    op.create_table(
        "lanes",
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("node", sa.String(length=63), nullable=False),
        sa.ForeignKeyConstraint(
            ["node"],
            ["nodes.name"],
        ),
        sa.PrimaryKeyConstraint("purpose", "node"),
    )


def _streams() -> None:
    op.create_table(
        "streams",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("node", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("committed", sa.LargeBinary(), nullable=False),
        sa.Column("gaps", sa.LargeBinary(), nullable=False),
        sa.Column("rows", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["node"],
            ["nodes.name"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("streams_node", "streams", ["node"])


def _births() -> None:
    op.create_table(
        "births",
        sa.Column("stream", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("node", sa.String(length=63), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["node"],
            ["nodes.name"],
        ),
        sa.ForeignKeyConstraint(
            ["stream"],
            ["streams.id"],
        ),
        sa.PrimaryKeyConstraint("stream", "number"),
    )


def _devices() -> None:
    op.create_table(
        "devices",
        _id(),
        sa.Column("node", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("family", sa.String(length=40), nullable=False),
        sa.Column(
            "facts",
            _JSON,
            nullable=False,
        ),
        sa.Column("declared", sa.Boolean(), nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["node"],
            ["nodes.name"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("node", "name", name="devices_node_name"),
        sqlite_autoincrement=True,
    )


def _metrics() -> None:
    op.create_table(
        "metrics",
        _id(),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("unit", sa.String(length=20), nullable=False),
        sa.Column("type", sa.String(length=10), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name", "unit", "type", name="metrics_meaning"),
        sqlite_autoincrement=True,
    )


def _telemetry() -> None:
    op.create_table(
        "telemetry",
        sa.Column("stream", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("device_id", _SERIAL, nullable=False),
        sa.Column("birth", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        postgresql_partition_by="RANGE (time_ms)",
    )
    op.create_index("telemetry_device_time", "telemetry", ["device_id", "time_ms"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE TABLE telemetry_other PARTITION OF telemetry DEFAULT")
        identity = ["stream", "seq", "time_ms"]
        op.create_index("telemetry_identity_in_day", "telemetry", identity, unique=True)
    else:
        op.create_index("telemetry_identity", "telemetry", ["stream", "seq"], unique=True)


def _ingested() -> None:
    op.create_table(
        "ingested",
        _id(),
        sa.Column("node", sa.String(length=63), nullable=False),
        sa.Column("stream", sa.BigInteger(), nullable=False),
        sa.Column("birth", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("to_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("rolled_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ingested_unrolled",
        "ingested",
        ["node", "id"],
        postgresql_where=sa.text("rolled_ms IS NULL"),
        sqlite_where=sa.text("rolled_ms IS NULL"),
    )


def _rollups() -> None:
    op.create_table(
        "rollups",
        sa.Column("device_id", _SERIAL, nullable=False),
        sa.Column("width_ms", sa.Integer(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "width_ms", "start_ms"),
    )


def _gaps() -> None:
    op.create_table(
        "gaps",
        _id(),
        sa.Column("node", sa.String(length=63), nullable=False),
        sa.Column("stream", sa.BigInteger(), nullable=False),
        sa.Column("birth", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("to_ms", sa.BigInteger(), nullable=False),
        sa.Column("width_ms", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("problem", sa.String(length=200)),
        sa.Column("rolled_ms", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["node"],
            ["nodes.name"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("gaps_node", "gaps", ["node", "id"])


def _gap_buckets() -> None:
    op.create_table(
        "gap_buckets",
        sa.Column("gap_id", _SERIAL, nullable=False),
        sa.Column("device_id", _SERIAL, nullable=False),
        sa.Column("width_ms", sa.Integer(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["gap_id"],
            ["gaps.id"],
        ),
        sa.PrimaryKeyConstraint("gap_id", "device_id", "start_ms"),
    )
    op.create_index("gap_buckets_device_start", "gap_buckets", ["device_id", "start_ms"])
