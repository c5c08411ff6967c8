"""People, their sessions, factors, tokens and rights."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

_TABLES = (
    "users",
    "role_grants",
    "sessions",
    "api_tokens",
    "passkeys",
    "recovery_codes",
    "throttles",
    "access_salts",
)


def upgrade() -> None:
    """Makes the tables."""
    _users()
    _role_grants()
    _sessions()
    _api_tokens()
    _passkeys()
    _recovery_codes()
    _throttles()


def downgrade() -> None:
    """Drops the tables and what is in them."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _id() -> sa.Column[int]:
    return sa.Column("id", _SERIAL, sa.Identity(), nullable=False)


def _user() -> sa.Column[int]:
    return sa.Column("user_id", _SERIAL, sa.ForeignKey("users.id"), nullable=False)


def _time(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _users() -> None:
    op.create_table(
        "users",
        _id(),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("password_hash", sa.String(length=200)),
        _time("password_changed_real_ms", nullable=True),
        _time("disabled_real_ms", nullable=True),
        sa.Column("totp_secret", sa.String(length=120)),
        sa.Column("totp_pending", sa.String(length=120)),
        sa.Column("totp_last_step", sa.BigInteger()),
        _time("created_real_ms"),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )


def _role_grants() -> None:
    op.create_table(
        "role_grants",
        _id(),
        _user(),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=80), nullable=False),
        sa.Column("granted_by", sa.String(length=200), nullable=False),
        _time("created_real_ms"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("user_id", "role", "scope", name="role_grants_once"),
        sqlite_autoincrement=True,
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        _id(),
        _user(),
        sa.Column("secret_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("previous_sha256", sa.LargeBinary()),
        _time("previous_until_real_ms", nullable=True),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        _time("created_real_ms"),
        _time("seen_real_ms"),
        _time("rotated_real_ms"),
        sa.Column("challenge", sa.LargeBinary()),
        _time("challenge_until_real_ms", nullable=True),
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("browser", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("secret_sha256"),
        sqlite_autoincrement=True,
    )
    op.create_index("sessions_user", "sessions", ["user_id"])
    op.create_index("sessions_previous", "sessions", ["previous_sha256"])


def _api_tokens() -> None:
    op.create_table(
        "api_tokens",
        _id(),
        _user(),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("permissions", _JSON, nullable=False),
        _time("created_real_ms"),
        _time("expires_real_ms", nullable=True),
        _time("revoked_real_ms", nullable=True),
        _time("used_real_ms", nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("secret_sha256"),
        sqlite_autoincrement=True,
    )
    op.create_index("api_tokens_user", "api_tokens", ["user_id"])


def _passkeys() -> None:
    op.create_table(
        "passkeys",
        _id(),
        _user(),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        _time("created_real_ms"),
        _time("used_real_ms", nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("credential_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("passkeys_user", "passkeys", ["user_id"])


def _recovery_codes() -> None:
    op.create_table(
        "recovery_codes",
        _id(),
        _user(),
        sa.Column("secret_sha256", sa.LargeBinary(), nullable=False),
        _time("used_real_ms", nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("user_id", "secret_sha256", name="recovery_codes_once"),
        sqlite_autoincrement=True,
    )


def _throttles() -> None:
    op.create_table(
        "throttles",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        _time("since_real_ms"),
        sa.Column("lockouts", sa.Integer(), nullable=False),
        _time("locked_until_real_ms"),
        _time("touched_real_ms"),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("throttles_touched", "throttles", ["touched_real_ms"])
    op.create_table(
        "access_salts",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
