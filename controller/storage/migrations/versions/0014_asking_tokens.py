"""Which API token an approval was asked for with."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Adds it. Requests of before count as made with a session."""
    op.add_column("approval_requests", sa.Column("token_id", sa.BigInteger()))


def downgrade() -> None:
    """Drops it."""
    op.drop_column("approval_requests", "token_id")
