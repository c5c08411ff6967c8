"""Revocations of certificates that this database did not issue, or does not know any more."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "other_revocations",
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=40), nullable=True),
        sa.Column("name", sa.String(length=63), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("revoked_real_ms", sa.BigInteger(), nullable=False),
        sa.Column("not_after_real_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("serial"),
    )


def downgrade() -> None:
    """Drops it and what is in it."""
    op.drop_table("other_revocations")
