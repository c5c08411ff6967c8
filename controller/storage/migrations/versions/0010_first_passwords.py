"""First passwords: set by somebody else, good for a while, to be changed by the account's owner."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Adds until when a first password is good. Passwords of before count as their owners'."""
    op.add_column("users", sa.Column("first_password_until_real_ms", sa.BigInteger()))


def downgrade() -> None:
    """Drops it."""
    op.drop_column("users", "first_password_until_real_ms")
