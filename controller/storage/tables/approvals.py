"""Four-eyes approvals: approvers' keys, what waits for approval, and who said what to it."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from controller.storage.tables.base import Json, id_column, metadata, version_column

approval_keys = Table(  # apart from the passkeys that people sign in with
    "approval_keys",
    metadata,
    id_column(),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("kind", String(20), nullable=False),  # shared.approvals.keys.KeyKind
    Column("key_id", LargeBinary, nullable=False, unique=True),
    Column("public_key", LargeBinary, nullable=False),  # raw Ed25519, or COSE_Key
    Column("credential_id", LargeBinary, unique=True),  # of a passkey
    Column("sign_count", BigInteger),  # of a passkey
    Column("name", String(100), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("confirmed_by", ForeignKey("users.id")),
    Column("confirmed_ms", BigInteger),  # NULL: nobody else has confirmed it; counts nowhere
    Column("revoked_ms", BigInteger),
    version_column(),
    Index("approval_keys_user", "user_id"),
    sqlite_autoincrement=True,
)

approval_challenges = Table(  # of passkeys being registered; each good once
    "approval_challenges",
    metadata,
    Column("challenge", LargeBinary, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)

approval_requests = Table(
    "approval_requests",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(20), nullable=False),  # shared.approvals.intents.IntentKind
    Column("intent", LargeBinary, nullable=False),  # exactly what is signed
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("initiator_id", ForeignKey("users.id"), nullable=False),
    Column("initiator", String(64), nullable=False),  # the account's name, as it is signed
    Column("token_id", BigInteger),  # of the API token that it was asked with; NULL: a session
    Column("policy", Json, nullable=False),  # as it was then: {"people": [...], "quorum": n}
    Column("rule", String(64), nullable=False),  # of the configuration, that asked for it
    Column("scope", String(80), nullable=False),  # where deciding on it must be granted
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("deadline_ms", BigInteger, nullable=False),
    Column("state", String(20), nullable=False),  # shared.approvals.life.ApprovalState
    Column("decided_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("outcome", String(200)),  # what the act made, such as the id of a command
    version_column(),
    Index("approval_requests_created", "created_ms", "id"),
    Index("approval_requests_state", "state", "expires_ms"),
)

approvals = Table(
    "approvals",
    metadata,
    id_column(),
    Column("request_id", ForeignKey("approval_requests.id"), nullable=False),
    Column("key_id", ForeignKey("approval_keys.id"), nullable=False),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("decision", String(10), nullable=False),  # shared.approvals.statement.Decision
    Column("signature", LargeBinary, nullable=False),
    Column("delivered_by", String(200), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    UniqueConstraint("request_id", "user_id", "decision", name="approvals_once_a_person"),
    sqlite_autoincrement=True,
)
