"""Four-eyes approvals and approvers' keys."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

_TABLES = ("approval_keys", "approval_challenges", "approval_requests", "approvals")


def upgrade() -> None:
    """Makes the tables."""
    _approval_keys()
    _approval_challenges()
    _approval_requests()
    _approvals()


def downgrade() -> None:
    """Drops the tables and what is in them."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _id() -> sa.Column[int]:
    return sa.Column("id", _SERIAL, sa.Identity(), nullable=False)


def _version() -> sa.Column[int]:
    return sa.Column("version", sa.Integer(), server_default="1", nullable=False)


def _approval_keys() -> None:
    op.create_table(
        "approval_keys",
        _id(),
        sa.Column("user_id", _SERIAL, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary()),
        sa.Column("sign_count", sa.BigInteger()),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_by", _SERIAL),
        sa.Column("confirmed_ms", sa.BigInteger()),
        sa.Column("revoked_ms", sa.BigInteger()),
        _version(),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key_id"),
        sa.UniqueConstraint("credential_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sa.ForeignKeyConstraint(["confirmed_by"], ["users.id"]),
        sqlite_autoincrement=True,
    )
    op.create_index("approval_keys_user", "approval_keys", ["user_id"])


def _approval_challenges() -> None:
    op.create_table(
        "approval_challenges",
        sa.Column("challenge", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", _SERIAL, nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("challenge"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
    )


def _approval_requests() -> None:
    op.create_table(
        "approval_requests",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("intent", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("initiator_id", _SERIAL, nullable=False),
        sa.Column("initiator", sa.String(length=64), nullable=False),
        sa.Column("policy", _JSON, nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=80), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("deadline_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("decided_ms", sa.BigInteger()),
        sa.Column("ended_ms", sa.BigInteger()),
        sa.Column("outcome", sa.String(length=200)),
        _version(),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
        sa.ForeignKeyConstraint(["initiator_id"], ["users.id"]),
    )
    op.create_index("approval_requests_created", "approval_requests", ["created_ms", "id"])
    op.create_index("approval_requests_state", "approval_requests", ["state", "expires_ms"])


def _approvals() -> None:
    op.create_table(
        "approvals",
        _id(),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("key_id", _SERIAL, nullable=False),
        sa.Column("user_id", _SERIAL, nullable=False),
        sa.Column("decision", sa.String(length=10), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("delivered_by", sa.String(length=200), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("request_id", "user_id", "decision", name="approvals_once_a_person"),
        sa.ForeignKeyConstraint(["request_id"], ["approval_requests.id"]),
        sa.ForeignKeyConstraint(["key_id"], ["approval_keys.id"]),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sqlite_autoincrement=True,
    )
