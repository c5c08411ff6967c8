"""Contracts: what was agreed, their coins, intents, transactions, and the log of each.

Every chain fact stands with its block's hash and height, and is deleted when the block is
disconnected; what it did stays in `contract_events`, which only grows. Hashes and transaction ids
are 32 bytes in the order of the wire, lists of them one after another in one value.
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

contracts = Table(  # the version is the number of its newest event
    "contracts",
    metadata,
    id_column(),
    Column("organisation", String(63), nullable=False),
    Column("name", String(64), nullable=False),
    Column("template", String(64), nullable=False),
    Column("network", String(10), nullable=False),  # shared.bitcoin.networks.Network
    Column("parameters", LargeBinary, nullable=False),  # deterministic CBOR of `terms.plain`
    Column("descriptors", Json, nullable=False),  # part: canonical text
    Column("birth_height", BigInteger, nullable=False),
    Column("finality_depth", Integer, nullable=False),
    Column("funding_deadline_height", BigInteger),  # NULL: funded at any time
    Column("is_past_deadline", Integer, nullable=False, server_default="0"),  # finality-deep
    Column("deep_reorganisations", Integer, nullable=False, server_default="0"),
    Column("state", String(20), nullable=False),  # controller.contracts.life.ContractState
    Column("created_ms", BigInteger, nullable=False),
    version_column(),
    UniqueConstraint("organisation", "name", name="contracts_name_once"),
    Index("contracts_deadline", "is_past_deadline", "funding_deadline_height"),
    sqlite_autoincrement=True,
)

contract_scripts = Table(  # a script is of one contract
    "contract_scripts",
    metadata,
    Column("contract_id", ForeignKey("contracts.id"), primary_key=True),
    Column("part", String(64), primary_key=True),
    Column("branch", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("script_pubkey", LargeBinary, nullable=False, unique=True),
)

contract_facts = Table(  # deleted when their block is disconnected
    "contract_facts",
    metadata,
    id_column(),
    Column("contract_id", ForeignKey("contracts.id"), nullable=False),
    Column("kind", String(10), nullable=False),  # controller.chain.follower.facts.FactKind
    Column("txid", LargeBinary, nullable=False),  # that made or spent it
    Column("outpoint_txid", LargeBinary, nullable=False),
    Column("outpoint_vout", BigInteger, nullable=False),
    Column("part", String(64), nullable=False),
    Column("branch", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("amount_sat", BigInteger, nullable=False),
    Column("is_coinbase", Integer, nullable=False),
    Column("height", BigInteger, nullable=False),
    Column("block_hash", LargeBinary, nullable=False),
    Column("is_final", Integer, nullable=False, server_default="0"),  # 1: was finality-deep
    UniqueConstraint("kind", "outpoint_txid", "outpoint_vout", name="contract_facts_once"),
    Index("contract_facts_contract", "contract_id"),
    Index("contract_facts_height", "height"),
    Index("contract_facts_settling", "is_final", "height"),
    sqlite_autoincrement=True,
)

contract_intents = Table(
    "contract_intents",
    metadata,
    Column("id", LargeBinary, primary_key=True),  # its unique number, 16 bytes
    Column("contract_id", ForeignKey("contracts.id"), nullable=False),
    Column("organisation", String(63), nullable=False),
    Column("kind", String(20), nullable=False),  # controller.contracts.intents.Kind
    Column("digest", LargeBinary, nullable=False),  # that approvers signed, 32 bytes
    Column("body", LargeBinary, nullable=False),  # deterministic CBOR of the approved fields
    Column("external_reference", String(200)),
    Column("fee_ceiling_sat", BigInteger, nullable=False),
    Column("deadline_ms", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),  # controller.contracts.store.intent_life
    Column("created_ms", BigInteger, nullable=False),
    UniqueConstraint(
        "organisation", "external_reference", name="contract_intents_external_reference_once"
    ),
    Index("contract_intents_contract", "contract_id"),
)

contract_transactions = Table(
    "contract_transactions",
    metadata,
    Column("txid", LargeBinary, primary_key=True),
    Column("contract_id", ForeignKey("contracts.id"), nullable=False),
    Column("kind", String(20), nullable=False),  # controller.contracts.intents.Kind
    Column("path", String(64), nullable=False),
    Column("outcome", String(10), nullable=False),  # controller.contracts.paths.Outcome
    Column("intents", LargeBinary, nullable=False),  # ids, as `history.Signed` has them
    Column("approval", LargeBinary),  # the cancel's own intent
    Column("ancestors", LargeBinary, nullable=False),  # txids of ours that it descends from
    Column("own", LargeBinary, nullable=False),  # places of own outputs, 4 bytes each
    Column("fee_sat", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),  # with its witnesses once it is signed
    Column("state", String(10), nullable=False),  # controller.contracts.store.intent_life
    Column("number", Integer, nullable=False),  # of the event with which it entered
    Index("contract_transactions_contract", "contract_id", "number"),
)

contract_events = Table(  # only grows
    "contract_events",
    metadata,
    Column("contract_id", ForeignKey("contracts.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("what", String(60), nullable=False),
    Column("state", String(20), nullable=False),  # after it
    Column("way_out", String(100)),  # controller.contracts.life.WayOut
    Column("opens_incident", Integer, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("body", LargeBinary, nullable=False),  # deterministic CBOR
    Column("time_ms", BigInteger, nullable=False),
)
