"""The audit tree: leaf hashes, tiles, heads, timestamps, and whose trace is whose."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_LEAVES = sa.table(
    "audit_leaves",
    sa.column("id", sa.BigInteger()),
    sa.column("body", sa.LargeBinary()),
    sa.column("leaf_hash", sa.LargeBinary()),
    sa.column("tree_index", sa.BigInteger()),
)
_INDEXES = {
    "audit_leaves_time": ["created_ms", "id"],
    "audit_leaves_kind": ["kind", "created_ms", "id"],
    "audit_leaves_actor": ["actor", "created_ms", "id"],
    "audit_leaves_subject": ["subject", "created_ms", "id"],
}
_TABLES = (
    "audit_log",
    "audit_tiles",
    "audit_heads",
    "audit_timestamps",
    "audit_authorities",
    "audit_people",
)


def upgrade() -> None:
    """Makes the tables, and the leaf hashes of the leaves that are there."""
    op.alter_column("audit_leaves", "sha256", new_column_name="leaf_hash")
    _hash_again(b"\x00")
    for name, columns in _INDEXES.items():
        op.create_index(name, "audit_leaves", columns)
    queued = sa.column("tree_index").is_(None)
    op.create_index(
        "audit_leaves_queued",
        "audit_leaves",
        ["id"],
        postgresql_where=queued,
        sqlite_where=queued,
    )
    _tree()
    _heads()
    _people()


def downgrade() -> None:
    """Drops the tables and what is in them; the leaves stay, in no tree."""
    for table in reversed(_TABLES):
        op.drop_table(table)
    op.drop_index("audit_leaves_queued", "audit_leaves")
    for name in _INDEXES:
        op.drop_index(name, "audit_leaves")
    _hash_again(b"")
    op.alter_column("audit_leaves", "leaf_hash", new_column_name="sha256")
    op.execute(sa.text("UPDATE audit_leaves SET tree_index = NULL"))


def _hash_again(prefix: bytes) -> None:
    conn = op.get_bind()
    after = 0
    while True:
        rows = conn.execute(
            sa.select(_LEAVES.c.id, _LEAVES.c.body)
            .where(_LEAVES.c.id > after)
            .order_by(_LEAVES.c.id)
            .limit(1_000)
        ).all()
        if not rows:
            return
        conn.execute(
            sa.update(_LEAVES)
            .where(_LEAVES.c.id == sa.bindparam("leaf"))
            .values(leaf_hash=sa.bindparam("hash")),
            [{"leaf": row.id, "hash": hashlib.sha256(prefix + row.body).digest()} for row in rows],
        )
        after = rows[-1].id


def _tree() -> None:
    log = op.create_table(
        "audit_log",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.bulk_insert(log, [{"id": 1, "size": 0, "root": hashlib.sha256(b"").digest()}])
    op.create_table(
        "audit_tiles",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "position"),
    )


def _heads() -> None:
    op.create_table(
        "audit_heads",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.String(length=8)),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size"),
    )
    op.create_table(
        "audit_timestamps",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("authority", sa.String(length=300), nullable=False),
        sa.Column("response", sa.LargeBinary(), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["size"], ["audit_heads.size"]),
        sa.PrimaryKeyConstraint("size"),
    )
    op.create_table(
        "audit_authorities",
        sa.Column("url", sa.String(length=300), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("problem", sa.String(length=300)),
        sa.Column("problem_ms", sa.BigInteger()),
        sa.Column("succeeded_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("url"),
    )


def _people() -> None:
    op.create_table(
        "audit_people",
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=300), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("trace", sa.String(length=80), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value"),
        sa.UniqueConstraint("trace"),
    )
