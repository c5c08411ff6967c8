"""Wallets: their scripts, coins, reservations, and the books of them.

Every chain fact stands with its block's hash and height, and is undone when the block is. Hashes
and transaction ids are 32 bytes in the order of the wire. A coin's `revision` is the wallet's when
the coin last changed, so that whoever keeps coins in memory reads only what is newer.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from controller.storage.tables.base import Serial, id_column, metadata, version_column

wallets = Table(
    "wallets",
    metadata,
    id_column(),
    Column("organisation", String(63), nullable=False),
    Column("name", String(64), nullable=False),
    Column("tier", String(10), nullable=False),  # controller.wallets.tiers.Tier
    Column("network", String(10), nullable=False),  # shared.bitcoin.networks.Network
    Column("descriptor", Text, nullable=False),
    Column("input_weight", Integer, nullable=False),  # the most that an input weighs
    Column("birth_height", Integer, nullable=False),
    Column("gap_limit", Integer, nullable=False),
    Column("finality_depth", Integer, nullable=False),
    Column("relief_method", String(10), nullable=False),  # controller.wallets.books.lots.Method
    Column("tip_height", Integer),  # of the last block that was taken in; NULL: none yet
    Column("tip_hash", LargeBinary),
    Column("revision", BigInteger, nullable=False, server_default="0"),
    Column("created_ms", BigInteger, nullable=False),
    version_column(),
    UniqueConstraint("organisation", "name", name="wallets_name_once"),
    sqlite_autoincrement=True,
)

wallet_scripts = Table(  # a script is of one wallet, so coins of two organisations never mix
    "wallet_scripts",
    metadata,
    Column("wallet_id", ForeignKey("wallets.id"), primary_key=True),
    Column("branch", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("script_pubkey", LargeBinary, nullable=False, unique=True),
    Column("used", Integer, nullable=False, server_default="0"),  # 1: was ever paid to
    Column("given_out_ms", BigInteger),  # NULL: not given out
)

wallet_reservations = Table(
    "wallet_reservations",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("wallet_id", ForeignKey("wallets.id"), nullable=False),
    Column("purpose", String(200), nullable=False),
    Column("state", String(20), nullable=False),  # controller.wallets.reservation_life
    Column("method", String(10), nullable=False),  # of relief
    Column("relief_sat", BigInteger, nullable=False),  # outputs to others and fee, as planned
    Column("created_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    version_column(),
    Index("wallet_reservations_purpose", "wallet_id", "purpose"),
)

wallet_coins = Table(
    "wallet_coins",
    metadata,
    id_column(),
    Column("wallet_id", ForeignKey("wallets.id"), nullable=False),
    Column("txid", LargeBinary, nullable=False),
    Column("vout", BigInteger, nullable=False),
    Column("amount_sat", BigInteger, nullable=False),
    Column("branch", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("is_coinbase", Integer, nullable=False),
    Column("is_own_change", Integer, nullable=False),
    Column("tx_version", BigInteger, nullable=False),
    Column("standing", String(10), nullable=False),  # controller.wallets.coin_life.Standing
    Column("created_height", Integer),
    Column("created_hash", LargeBinary),
    Column("spent_txid", LargeBinary),
    Column("spent_height", Integer),
    Column("spent_hash", LargeBinary),
    Column("hold", String(10), nullable=False),  # controller.wallets.coin_life.Hold
    Column("hold_reason", String(200)),
    Column("reservation_id", ForeignKey("wallet_reservations.id")),
    Column("pledged_to", String(200)),
    Column("revision", BigInteger, nullable=False),
    version_column(),
    UniqueConstraint("txid", "vout", name="wallet_coins_outpoint_once"),
    Index("wallet_coins_standing", "wallet_id", "standing", "created_height"),
    Index("wallet_coins_revision", "wallet_id", "revision"),
    Index("wallet_coins_spender", "spent_txid"),
    Index("wallet_coins_reservation", "reservation_id"),
    Index("wallet_coins_spent_height", "wallet_id", "spent_height"),
    sqlite_autoincrement=True,
)

wallet_lots = Table(
    "wallet_lots",
    metadata,
    id_column(),
    Column("wallet_id", ForeignKey("wallets.id"), nullable=False),
    Column("txid", LargeBinary, nullable=False),
    Column("vout", BigInteger, nullable=False),
    Column("amount_sat", BigInteger, nullable=False),
    Column("committed_sat", BigInteger, nullable=False),  # relieved, or planned to be
    Column("acquired_ms", BigInteger, nullable=False),
    Column("origin", String(20), nullable=False),  # controller.wallets.books.lots.Origin
    Column("price", String(60)),  # of one bitcoin, exact; NULL: unknown
    Column("price_currency", String(10)),
    Column("price_source", String(200)),
    Column("price_problem", String(200)),  # why it is unknown; NULL: it is known
    Column("carried_from", Serial, ForeignKey("wallet_lots.id")),  # the lot that a transfer moved
    Column("created_height", Integer, nullable=False),
    Column("created_hash", LargeBinary, nullable=False),
    Column("gone_ms", BigInteger),  # NULL: its block stands
    version_column(),
    CheckConstraint(
        "committed_sat >= 0 AND committed_sat <= amount_sat", name="wallet_lots_relieved_once"
    ),
    CheckConstraint(
        "(price IS NULL) = (price_problem IS NOT NULL)", name="wallet_lots_price_or_reason"
    ),
    Index("wallet_lots_outpoint", "txid", "vout"),
    Index("wallet_lots_block", "wallet_id", "created_height"),
    sqlite_autoincrement=True,
)

_is_open = (wallet_lots.c.gone_ms.is_(None)) & (
    wallet_lots.c.committed_sat < wallet_lots.c.amount_sat
)
Index(
    "wallet_lots_open",
    wallet_lots.c.wallet_id,
    wallet_lots.c.acquired_ms,
    wallet_lots.c.id,
    sqlite_where=_is_open,
    postgresql_where=_is_open,
)

wallet_periods = Table(  # a row is a locked period; it never changes
    "wallet_periods",
    metadata,
    id_column(),
    Column("wallet_id", ForeignKey("wallets.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("from_height", Integer, nullable=False),
    Column("to_height", Integer, nullable=False),  # the cut-off block
    Column("block_hash", LargeBinary, nullable=False),
    Column("opening_sat", BigInteger, nullable=False),
    Column("in_sat", BigInteger, nullable=False),
    Column("out_sat", BigInteger, nullable=False),
    Column("fee_sat", BigInteger, nullable=False),
    Column("closing_sat", BigInteger, nullable=False),
    Column("locked_by", String(200), nullable=False),
    Column("locked_ms", BigInteger, nullable=False),
    UniqueConstraint("wallet_id", "number", name="wallet_periods_once"),
    sqlite_autoincrement=True,
)

wallet_entries = Table(
    "wallet_entries",
    metadata,
    id_column(),
    Column("wallet_id", ForeignKey("wallets.id"), nullable=False),
    Column("kind", String(10), nullable=False),  # controller.wallets.books.movements.Kind
    Column("amount_sat", BigInteger, nullable=False),  # below 0 in a correction
    Column("txid", LargeBinary, nullable=False),
    Column("other_wallet_id", Serial, ForeignKey("wallets.id")),  # of the same organisation
    Column("fee_included", Integer, nullable=False),  # 1: others paid too, so the fee is not known
    Column("height", Integer, nullable=False),
    Column("block_hash", LargeBinary, nullable=False),
    Column("time_ms", BigInteger, nullable=False),  # the block's
    Column("booked_height", Integer, nullable=False),  # where it counts: after what was locked
    Column("corrects_id", Serial, ForeignKey("wallet_entries.id")),
    Column("reservation_id", ForeignKey("wallet_reservations.id")),
    Column("voided_ms", BigInteger),  # NULL: it counts
    Index("wallet_entries_booked", "wallet_id", "booked_height", "id"),
    Index("wallet_entries_block", "wallet_id", "height"),
    Index("wallet_entries_tx", "txid"),
    sqlite_autoincrement=True,
)

wallet_reliefs = Table(  # which lot answers for what left the wallet
    "wallet_reliefs",
    metadata,
    id_column(),
    Column("lot_id", ForeignKey("wallet_lots.id"), nullable=False),
    Column("wallet_id", ForeignKey("wallets.id"), nullable=False),
    Column("amount_sat", BigInteger, nullable=False),  # below 0: given back by a correction
    Column("state", String(10), nullable=False),  # controller.wallets.books.lots.ReliefState
    Column("reservation_id", ForeignKey("wallet_reservations.id")),
    Column("entry_id", Serial, ForeignKey("wallet_entries.id")),  # NULL while planned
    Column("is_planned", Integer, nullable=False),  # 0: chosen only when the block was there
    Index("wallet_reliefs_lot", "lot_id"),
    Index("wallet_reliefs_reservation", "reservation_id"),
    Index("wallet_reliefs_entry", "entry_id"),
    sqlite_autoincrement=True,
)

wallet_labels = Table(  # BIP329
    "wallet_labels",
    metadata,
    id_column(),
    Column("wallet_id", ForeignKey("wallets.id"), nullable=False),
    Column("type", String(20), nullable=False),
    Column("ref", String(200), nullable=False),
    Column("origin", String(300), nullable=False),  # "": none
    Column("label", String(255)),
    Column("spendable", Integer),
    Column("others", Text, nullable=False),  # JSON of the fields that mean nothing to us, as read
    Column("updated_ms", BigInteger, nullable=False),
    UniqueConstraint("wallet_id", "type", "ref", "origin", name="wallet_labels_once"),
    sqlite_autoincrement=True,
)
