"""What the chain follower knows: its last blocks, watched scripts, and the facts about them."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from controller.storage.tables.base import id_column, metadata, version_column

chain_state = Table(  # one row; locked by whoever changes any of these tables
    "chain_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("network", String(10), nullable=False),  # shared.bitcoin.networks.Network
    Column("start_height", BigInteger, nullable=False),  # facts begin above it
    Column("halted_kind", String(40)),  # controller.chain.follower.state.HaltKind
    Column("halted_problem", String(500)),
    version_column(),
)

chain_blocks = Table(  # the last ones, as many as a reorganisation may undo, and one more
    "chain_blocks",
    metadata,
    Column("height", BigInteger, primary_key=True, autoincrement=False),
    Column("block_hash", LargeBinary, nullable=False, unique=True),
    Column("header", LargeBinary, nullable=False),
)

chain_watches = Table(  # never deleted: someone may fund a spent script again
    "chain_watches",
    metadata,
    id_column(),
    Column("script_pubkey", LargeBinary, nullable=False, unique=True),
    sqlite_autoincrement=True,
)

chain_facts = Table(  # deleted when their block is disconnected
    "chain_facts",
    metadata,
    id_column(),
    Column("kind", String(10), nullable=False),  # controller.chain.follower.facts.FactKind
    Column("txid", LargeBinary, nullable=False),
    Column("position", Integer, nullable=False),  # of the output made, or the input that spends
    Column("outpoint_txid", LargeBinary, nullable=False),
    Column("outpoint_vout", BigInteger, nullable=False),
    Column("script_pubkey", LargeBinary, nullable=False),
    Column("amount_sat", BigInteger, nullable=False),
    Column("is_coinbase", Integer, nullable=False),  # 1 or 0
    Column("height", BigInteger, nullable=False),
    Column("block_hash", LargeBinary, nullable=False),
    UniqueConstraint("kind", "txid", "position", name="chain_facts_identity"),
    Index("chain_facts_height", "height"),
    Index("chain_facts_outpoint", "outpoint_txid", "outpoint_vout"),
    Index("chain_facts_script", "script_pubkey"),
    sqlite_autoincrement=True,
)
