"""Wallets: scripts, coins, reservations, lots, entries, periods, labels."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_OPEN_LOTS = sa.text("gone_ms IS NULL AND committed_sat < amount_sat")
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes the tables."""
    _make_wallets()
    _make_wallet_labels()
    _make_wallet_lots()
    _make_wallet_periods()
    _make_wallet_reservations()
    _make_wallet_scripts()
    _make_wallet_coins()
    _make_wallet_entries()
    _make_wallet_reliefs()


def _make_wallets() -> None:
    op.create_table(
        "wallets",
        sa.Column("id", _SERIAL, sa.Identity(), nullable=False),
        sa.Column("organisation", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("tier", sa.String(length=10), nullable=False),
        sa.Column("network", sa.String(length=10), nullable=False),
        sa.Column("descriptor", sa.Text(), nullable=False),
        sa.Column("input_weight", sa.Integer(), nullable=False),
        sa.Column("birth_height", sa.Integer(), nullable=False),
        sa.Column("gap_limit", sa.Integer(), nullable=False),
        sa.Column("finality_depth", sa.Integer(), nullable=False),
        sa.Column("relief_method", sa.String(length=10), nullable=False),
        sa.Column("tip_height", sa.Integer(), nullable=True),
        sa.Column("tip_hash", sa.LargeBinary(), nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("organisation", "name", name="wallets_name_once"),
        sqlite_autoincrement=True,
    )


def _make_wallet_labels() -> None:
    op.create_table(
        "wallet_labels",
        sa.Column("id", _SERIAL, sa.Identity(), nullable=False),
        sa.Column("wallet_id", _SERIAL, nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("ref", sa.String(length=200), nullable=False),
        sa.Column("origin", sa.String(length=300), nullable=False),
        sa.Column("label", sa.String(length=255), nullable=True),
        sa.Column("spendable", sa.Integer(), nullable=True),
        sa.Column("others", sa.Text(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("wallet_id", "type", "ref", "origin", name="wallet_labels_once"),
        sqlite_autoincrement=True,
    )


def _make_wallet_lots() -> None:
    op.create_table(
        "wallet_lots",
        sa.Column("id", _SERIAL, sa.Identity(), nullable=False),
        sa.Column("wallet_id", _SERIAL, nullable=False),
        sa.Column("txid", sa.LargeBinary(), nullable=False),
        sa.Column("vout", sa.BigInteger(), nullable=False),
        sa.Column("amount_sat", sa.BigInteger(), nullable=False),
        sa.Column("committed_sat", sa.BigInteger(), nullable=False),
        sa.Column("acquired_ms", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("price", sa.String(length=60), nullable=True),
        sa.Column("price_currency", sa.String(length=10), nullable=True),
        sa.Column("price_source", sa.String(length=200), nullable=True),
        sa.Column("price_problem", sa.String(length=200), nullable=True),
        sa.Column("carried_from", _SERIAL, nullable=True),
        sa.Column("created_height", sa.Integer(), nullable=False),
        sa.Column("created_hash", sa.LargeBinary(), nullable=False),
        sa.Column("gone_ms", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "(price IS NULL) = (price_problem IS NOT NULL)", name="wallet_lots_price_or_reason"
        ),
        sa.CheckConstraint(
            "committed_sat >= 0 AND committed_sat <= amount_sat", name="wallet_lots_relieved_once"
        ),
        sa.ForeignKeyConstraint(["carried_from"], ["wallet_lots.id"]),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "wallet_lots_open",
        "wallet_lots",
        ["wallet_id", "acquired_ms", "id"],
        sqlite_where=_OPEN_LOTS,
        postgresql_where=_OPEN_LOTS,
    )
    op.create_index("wallet_lots_block", "wallet_lots", ["wallet_id", "created_height"])
    op.create_index("wallet_lots_outpoint", "wallet_lots", ["txid", "vout"])


def _make_wallet_periods() -> None:
    op.create_table(
        "wallet_periods",
        sa.Column("id", _SERIAL, sa.Identity(), nullable=False),
        sa.Column("wallet_id", _SERIAL, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("from_height", sa.Integer(), nullable=False),
        sa.Column("to_height", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False),
        sa.Column("opening_sat", sa.BigInteger(), nullable=False),
        sa.Column("in_sat", sa.BigInteger(), nullable=False),
        sa.Column("out_sat", sa.BigInteger(), nullable=False),
        sa.Column("fee_sat", sa.BigInteger(), nullable=False),
        sa.Column("closing_sat", sa.BigInteger(), nullable=False),
        sa.Column("locked_by", sa.String(length=200), nullable=False),
        sa.Column("locked_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("wallet_id", "number", name="wallet_periods_once"),
        sqlite_autoincrement=True,
    )


def _make_wallet_reservations() -> None:
    op.create_table(
        "wallet_reservations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("wallet_id", _SERIAL, nullable=False),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("method", sa.String(length=10), nullable=False),
        sa.Column("relief_sat", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("wallet_reservations_purpose", "wallet_reservations", ["wallet_id", "purpose"])


def _make_wallet_scripts() -> None:
    op.create_table(
        "wallet_scripts",
        sa.Column("wallet_id", _SERIAL, nullable=False),
        sa.Column("branch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("script_pubkey", sa.LargeBinary(), nullable=False),
        sa.Column("used", sa.Integer(), server_default="0", nullable=False),
        sa.Column("given_out_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"]),
        sa.PrimaryKeyConstraint("wallet_id", "branch", "number"),
        sa.UniqueConstraint("script_pubkey"),
    )


def _make_wallet_coins() -> None:
    op.create_table(
        "wallet_coins",
        sa.Column("id", _SERIAL, sa.Identity(), nullable=False),
        sa.Column("wallet_id", _SERIAL, nullable=False),
        sa.Column("txid", sa.LargeBinary(), nullable=False),
        sa.Column("vout", sa.BigInteger(), nullable=False),
        sa.Column("amount_sat", sa.BigInteger(), nullable=False),
        sa.Column("branch", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("is_coinbase", sa.Integer(), nullable=False),
        sa.Column("is_own_change", sa.Integer(), nullable=False),
        sa.Column("tx_version", sa.BigInteger(), nullable=False),
        sa.Column("standing", sa.String(length=10), nullable=False),
        sa.Column("created_height", sa.Integer(), nullable=True),
        sa.Column("created_hash", sa.LargeBinary(), nullable=True),
        sa.Column("spent_txid", sa.LargeBinary(), nullable=True),
        sa.Column("spent_height", sa.Integer(), nullable=True),
        sa.Column("spent_hash", sa.LargeBinary(), nullable=True),
        sa.Column("hold", sa.String(length=10), nullable=False),
        sa.Column("hold_reason", sa.String(length=200), nullable=True),
        sa.Column("reservation_id", sa.String(length=36), nullable=True),
        sa.Column("pledged_to", sa.String(length=200), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["reservation_id"], ["wallet_reservations.id"]),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("txid", "vout", name="wallet_coins_outpoint_once"),
        sqlite_autoincrement=True,
    )
    op.create_index("wallet_coins_reservation", "wallet_coins", ["reservation_id"])
    op.create_index("wallet_coins_revision", "wallet_coins", ["wallet_id", "revision"])
    op.create_index("wallet_coins_spender", "wallet_coins", ["spent_txid"])
    op.create_index("wallet_coins_spent_height", "wallet_coins", ["wallet_id", "spent_height"])
    op.create_index(
        "wallet_coins_standing", "wallet_coins", ["wallet_id", "standing", "created_height"]
    )


def _make_wallet_entries() -> None:
    op.create_table(
        "wallet_entries",
        sa.Column("id", _SERIAL, sa.Identity(), nullable=False),
        sa.Column("wallet_id", _SERIAL, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("amount_sat", sa.BigInteger(), nullable=False),
        sa.Column("txid", sa.LargeBinary(), nullable=False),
        sa.Column("other_wallet_id", _SERIAL, nullable=True),
        sa.Column("fee_included", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("booked_height", sa.Integer(), nullable=False),
        sa.Column("corrects_id", _SERIAL, nullable=True),
        sa.Column("reservation_id", sa.String(length=36), nullable=True),
        sa.Column("voided_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["corrects_id"], ["wallet_entries.id"]),
        sa.ForeignKeyConstraint(["other_wallet_id"], ["wallets.id"]),
        sa.ForeignKeyConstraint(["reservation_id"], ["wallet_reservations.id"]),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("wallet_entries_block", "wallet_entries", ["wallet_id", "height"])
    op.create_index("wallet_entries_booked", "wallet_entries", ["wallet_id", "booked_height", "id"])
    op.create_index("wallet_entries_tx", "wallet_entries", ["txid"])


def _make_wallet_reliefs() -> None:
    op.create_table(
        "wallet_reliefs",
        sa.Column("id", _SERIAL, sa.Identity(), nullable=False),
        sa.Column("lot_id", _SERIAL, nullable=False),
        sa.Column("wallet_id", _SERIAL, nullable=False),
        sa.Column("amount_sat", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reservation_id", sa.String(length=36), nullable=True),
        sa.Column("entry_id", _SERIAL, nullable=True),
        sa.Column("is_planned", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["wallet_entries.id"]),
        sa.ForeignKeyConstraint(["lot_id"], ["wallet_lots.id"]),
        sa.ForeignKeyConstraint(["reservation_id"], ["wallet_reservations.id"]),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("wallet_reliefs_entry", "wallet_reliefs", ["entry_id"])
    op.create_index("wallet_reliefs_lot", "wallet_reliefs", ["lot_id"])
    op.create_index("wallet_reliefs_reservation", "wallet_reliefs", ["reservation_id"])


def downgrade() -> None:
    """Drops them and what is in them."""
    op.drop_table("wallet_reliefs")
    op.drop_table("wallet_entries")
    op.drop_table("wallet_coins")
    op.drop_table("wallet_scripts")
    op.drop_table("wallet_reservations")
    op.drop_table("wallet_periods")
    op.drop_table("wallet_lots")
    op.drop_table("wallet_labels")
    op.drop_table("wallets")
