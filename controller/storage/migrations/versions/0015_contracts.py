"""Contracts: terms, scripts, facts, intents, transactions, events."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes the tables."""
    _make_contracts()
    _make_contract_events()
    _make_contract_facts()
    _make_contract_intents()
    _make_contract_scripts()
    _make_contract_transactions()


def _make_contracts() -> None:
    op.create_table(
        "contracts",
        sa.Column("id", _SERIAL, sa.Identity(), nullable=False),
        sa.Column("organisation", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("template", sa.String(length=64), nullable=False),
        sa.Column("network", sa.String(length=10), nullable=False),
        sa.Column("parameters", sa.LargeBinary(), nullable=False),
        sa.Column(
            "descriptors",
            sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
            nullable=False,
        ),
        sa.Column("birth_height", sa.BigInteger(), nullable=False),
        sa.Column("finality_depth", sa.Integer(), nullable=False),
        sa.Column("funding_deadline_height", sa.BigInteger(), nullable=True),
        sa.Column("is_past_deadline", sa.Integer(), server_default="0", nullable=False),
        sa.Column("deep_reorganisations", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("organisation", "name", name="contracts_name_once"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "contracts_deadline",
        "contracts",
        ["is_past_deadline", "funding_deadline_height"],
        unique=False,
    )


def _make_contract_events() -> None:
    op.create_table(
        "contract_events",
        sa.Column("contract_id", _SERIAL, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("what", sa.String(length=60), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("way_out", sa.String(length=100), nullable=True),
        sa.Column("opens_incident", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contracts.id"],
        ),
        sa.PrimaryKeyConstraint("contract_id", "number"),
    )


def _make_contract_facts() -> None:
    op.create_table(
        "contract_facts",
        sa.Column("id", _SERIAL, sa.Identity(), nullable=False),
        sa.Column("contract_id", _SERIAL, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("txid", sa.LargeBinary(), nullable=False),
        sa.Column("outpoint_txid", sa.LargeBinary(), nullable=False),
        sa.Column("outpoint_vout", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.String(length=64), nullable=False),
        sa.Column("branch", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("amount_sat", sa.BigInteger(), nullable=False),
        sa.Column("is_coinbase", sa.Integer(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False),
        sa.Column("is_final", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contracts.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "outpoint_txid", "outpoint_vout", name="contract_facts_once"),
        sqlite_autoincrement=True,
    )
    op.create_index("contract_facts_contract", "contract_facts", ["contract_id"], unique=False)
    op.create_index("contract_facts_height", "contract_facts", ["height"], unique=False)
    op.create_index(
        "contract_facts_settling", "contract_facts", ["is_final", "height"], unique=False
    )


def _make_contract_intents() -> None:
    op.create_table(
        "contract_intents",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("contract_id", _SERIAL, nullable=False),
        sa.Column("organisation", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("external_reference", sa.String(length=200), nullable=True),
        sa.Column("fee_ceiling_sat", sa.BigInteger(), nullable=False),
        sa.Column("deadline_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contracts.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "organisation", "external_reference", name="contract_intents_external_reference_once"
        ),
    )
    op.create_index("contract_intents_contract", "contract_intents", ["contract_id"], unique=False)


def _make_contract_scripts() -> None:
    op.create_table(
        "contract_scripts",
        sa.Column("contract_id", _SERIAL, nullable=False),
        sa.Column("part", sa.String(length=64), nullable=False),
        sa.Column("branch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("script_pubkey", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contracts.id"],
        ),
        sa.PrimaryKeyConstraint("contract_id", "part", "branch", "number"),
        sa.UniqueConstraint("script_pubkey"),
    )


def _make_contract_transactions() -> None:
    op.create_table(
        "contract_transactions",
        sa.Column("txid", sa.LargeBinary(), nullable=False),
        sa.Column("contract_id", _SERIAL, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("path", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("intents", sa.LargeBinary(), nullable=False),
        sa.Column("approval", sa.LargeBinary(), nullable=True),
        sa.Column("ancestors", sa.LargeBinary(), nullable=False),
        sa.Column("own", sa.LargeBinary(), nullable=False),
        sa.Column("fee_sat", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contracts.id"],
        ),
        sa.PrimaryKeyConstraint("txid"),
    )
    op.create_index(
        "contract_transactions_contract",
        "contract_transactions",
        ["contract_id", "number"],
        unique=False,
    )


def downgrade() -> None:
    """Drops them and what is in them."""
    op.drop_table("contract_transactions")
    op.drop_table("contract_scripts")
    op.drop_table("contract_intents")
    op.drop_table("contract_facts")
    op.drop_table("contract_events")
    op.drop_table("contracts")
