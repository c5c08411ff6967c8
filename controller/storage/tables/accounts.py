"""People and service accounts: rights, sessions, second factors, tokens, failed attempts.

Every secret that we only compare is kept as its SHA-256 (they have 80 bits or more) or as argon2id
(passwords). A TOTP secret has to be read again to be compared: it is sealed where a key is
configured (`controller.access.factor_seal`).
"""

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

users = Table(
    "users",
    metadata,
    id_column(),
    Column("name", String(64), nullable=False, unique=True),
    Column("display_name", String(200), nullable=False),
    Column("kind", String(20), nullable=False),  # controller.access.people.UserKind
    Column("password_hash", String(200)),  # NULL: no signing in by password
    Column("password_changed_real_ms", BigInteger),
    Column("first_password_until_real_ms", BigInteger),  # NULL: its owner has set the password
    Column("disabled_real_ms", BigInteger),
    Column("totp_secret", String(120)),  # controller.access.factor_seal
    Column("totp_pending", String(120)),  # shown, not confirmed yet
    Column("totp_last_step", BigInteger),  # RFC 6238: a step is used once
    Column("created_real_ms", BigInteger, nullable=False),
    version_column(),
    sqlite_autoincrement=True,
)

role_grants = Table(
    "role_grants",
    metadata,
    id_column(),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("role", String(40), nullable=False),  # controller.access.permissions.Role
    Column("scope", String(80), nullable=False),  # controller.access.permissions.parse_scope
    Column("granted_by", String(200), nullable=False),
    Column("created_real_ms", BigInteger, nullable=False),
    UniqueConstraint("user_id", "role", "scope", name="role_grants_once"),
    sqlite_autoincrement=True,
)

sessions = Table(
    "sessions",
    metadata,
    id_column(),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("secret_sha256", LargeBinary, nullable=False, unique=True),
    Column("previous_sha256", LargeBinary),  # of before the last rotation, for requests under way
    Column("previous_until_real_ms", BigInteger),
    Column("csrf", String(64), nullable=False),
    Column("stage", String(20), nullable=False),  # controller.access.session_life.Stage
    Column("created_real_ms", BigInteger, nullable=False),
    Column("seen_real_ms", BigInteger, nullable=False),
    Column("rotated_real_ms", BigInteger, nullable=False),
    Column("challenge", LargeBinary),  # of a passkey ceremony under way
    Column("challenge_until_real_ms", BigInteger),
    Column("address_hash", String(64), nullable=False),
    Column("browser", String(200), nullable=False),
    Index("sessions_user", "user_id"),
    Index("sessions_previous", "previous_sha256"),
    sqlite_autoincrement=True,
)

api_tokens = Table(
    "api_tokens",
    metadata,
    id_column(),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("prefix", String(16), nullable=False),  # shown, to tell tokens apart
    Column("secret_sha256", LargeBinary, nullable=False, unique=True),
    Column("permissions", Json, nullable=False),  # of controller.access.permissions.Permission
    Column("created_real_ms", BigInteger, nullable=False),
    Column("expires_real_ms", BigInteger),  # NULL: with the file that it was read from
    Column("revoked_real_ms", BigInteger),
    Column("used_real_ms", BigInteger),
    Index("api_tokens_user", "user_id"),
    sqlite_autoincrement=True,
)

passkeys = Table(
    "passkeys",
    metadata,
    id_column(),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("credential_id", LargeBinary, nullable=False, unique=True),
    Column("public_key", LargeBinary, nullable=False),  # COSE_Key
    Column("sign_count", BigInteger, nullable=False),
    Column("name", String(100), nullable=False),
    Column("created_real_ms", BigInteger, nullable=False),
    Column("used_real_ms", BigInteger),
    Index("passkeys_user", "user_id"),
    sqlite_autoincrement=True,
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    id_column(),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("secret_sha256", LargeBinary, nullable=False),
    Column("used_real_ms", BigInteger),
    UniqueConstraint("user_id", "secret_sha256", name="recovery_codes_once"),
    sqlite_autoincrement=True,
)

throttles = Table(  # controller.access.throttle.Strikes, by account or address
    "throttles",
    metadata,
    Column("key", String(80), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("since_real_ms", BigInteger, nullable=False),
    Column("lockouts", Integer, nullable=False),
    Column("locked_until_real_ms", BigInteger, nullable=False),
    Column("touched_real_ms", BigInteger, nullable=False),
    Index("throttles_touched", "touched_real_ms"),
)

access_salts = Table(  # random bytes of this deployment, made when first needed
    "access_salts",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
