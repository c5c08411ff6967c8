"""What answers for the rest: idempotency keys, retention, legal holds."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table

from controller.storage.tables.base import Json, id_column, metadata, version_column

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("actor", String(200), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("method", String(10), nullable=False),
    Column("path", String(500), nullable=False),
    Column("request_sha256", LargeBinary, nullable=False),
    Column("status", Integer),  # NULL: being served
    Column("headers", Json),
    Column("response", LargeBinary),
    Column("created_ms", BigInteger, nullable=False),
    Index("idempotency_keys_created", "created_ms"),
)

legal_holds = Table(  # nothing it names is deleted while released_ms is NULL
    "legal_holds",
    metadata,
    id_column(),
    Column("data_class", String(20)),  # controller.retention.DataClass; NULL: every class
    Column("node", String(63)),  # NULL: every node
    Column("from_ms", BigInteger),  # of the data's own time; NULL: from the first
    Column("to_ms", BigInteger),  # exclusive; NULL: to the last
    Column("reason", String(500), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("released_ms", BigInteger),
    version_column(),
    sqlite_autoincrement=True,
)

retention = Table(  # written from the configuration at the first start, by people afterwards
    "retention",
    metadata,
    Column("data_class", String(20), primary_key=True),
    Column("keep_ms", BigInteger),  # NULL: kept for ever
    Column("updated_ms", BigInteger, nullable=False),
    version_column(),
)
