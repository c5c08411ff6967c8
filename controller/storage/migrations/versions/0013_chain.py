"""The chain follower's last blocks, watched scripts and facts."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = ("chain_state", "chain_blocks", "chain_watches", "chain_facts")


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "chain_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("network", sa.String(length=10), nullable=False),
        sa.Column("start_height", sa.BigInteger(), nullable=False),
        sa.Column("halted_kind", sa.String(length=40)),
        sa.Column("halted_problem", sa.String(length=500)),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "chain_blocks",
        sa.Column("height", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("height"),
        sa.UniqueConstraint("block_hash"),
    )
    op.create_table(
        "chain_watches",
        sa.Column("id", _SERIAL, sa.Identity(), nullable=False),
        sa.Column("script_pubkey", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("script_pubkey"),
        sqlite_autoincrement=True,
    )
    _facts()


def downgrade() -> None:
    """Drops the tables and what is in them."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _facts() -> None:
    op.create_table(
        "chain_facts",
        sa.Column("id", _SERIAL, sa.Identity(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("txid", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("outpoint_txid", sa.LargeBinary(), nullable=False),
        sa.Column("outpoint_vout", sa.BigInteger(), nullable=False),
        sa.Column("script_pubkey", sa.LargeBinary(), nullable=False),
        sa.Column("amount_sat", sa.BigInteger(), nullable=False),
        sa.Column("is_coinbase", sa.Integer(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "txid", "position", name="chain_facts_identity"),
        sqlite_autoincrement=True,
    )
    op.create_index("chain_facts_height", "chain_facts", ["height"])
    op.create_index("chain_facts_outpoint", "chain_facts", ["outpoint_txid", "outpoint_vout"])
    op.create_index("chain_facts_script", "chain_facts", ["script_pubkey"])
