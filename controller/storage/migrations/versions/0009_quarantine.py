"""Rows of nodes that cannot be read: kept as they came, so that they hold nothing up."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "quarantine",
        sa.Column("stream", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("node", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("birth", sa.BigInteger()),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("problem", sa.String(length=300), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "seq"),
        sa.ForeignKeyConstraint(["node"], ["nodes.name"]),
    )
    op.create_index("quarantine_node", "quarantine", ["node", "received_ms"])
    op.create_index("quarantine_time", "quarantine", ["kind", "received_ms"])


def downgrade() -> None:
    """Drops it and what is in it."""
    op.drop_table("quarantine")
