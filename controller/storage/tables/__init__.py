"""Every table of the controller, as SQLAlchemy Core; one module a room, all imported here.

Times are integer milliseconds since the epoch, UTC, in columns `*_ms`: business time, except
`*_real_ms`. `version` columns are for compare-and-set. Bodies are CBOR as it travelled, or written
by the module that owns the table. Telemetry is partitioned by day on PostgreSQL. A new room is a
module here, imported below so that the metadata is whole, and a migration.
"""

from controller.storage.tables.accounts import (
    access_salts,
    api_tokens,
    passkeys,
    recovery_codes,
    role_grants,
    sessions,
    throttles,
    users,
)
from controller.storage.tables.approvals import (
    approval_challenges,
    approval_keys,
    approval_requests,
    approvals,
)
from controller.storage.tables.audit import (
    audit_authorities,
    audit_heads,
    audit_leaves,
    audit_log,
    audit_people,
    audit_tiles,
    audit_timestamps,
)
from controller.storage.tables.base import metadata
from controller.storage.tables.chain import chain_blocks, chain_facts, chain_state, chain_watches
from controller.storage.tables.contracts import (
    contract_events,
    contract_facts,
    contract_intents,
    contract_scripts,
    contract_transactions,
    contracts,
)
from controller.storage.tables.enrolment import (
    certificates,
    enrolment_tokens,
    other_revocations,
    revocation_lists,
    revocations,
)
from controller.storage.tables.fleet import (
    alarms,
    births,
    devices,
    events,
    lanes,
    metrics,
    nodes,
    sites,
    streams,
)
from controller.storage.tables.records import idempotency_keys, legal_holds, retention
from controller.storage.tables.security import (
    cut_offs,
    log_positions,
    node_baselines,
    security_events,
    webhook_deliveries,
    webhooks,
)
from controller.storage.tables.sending import changes, commands, outbox
from controller.storage.tables.telemetry import (
    gap_buckets,
    gaps,
    ingested,
    quarantine,
    rollups,
    telemetry,
)
from controller.storage.tables.wallets import (
    wallet_coins,
    wallet_entries,
    wallet_labels,
    wallet_lots,
    wallet_periods,
    wallet_reliefs,
    wallet_reservations,
    wallet_scripts,
    wallets,
)

__all__ = [
    "access_salts",
    "alarms",
    "api_tokens",
    "approval_challenges",
    "approval_keys",
    "approval_requests",
    "approvals",
    "audit_authorities",
    "audit_heads",
    "audit_leaves",
    "audit_log",
    "audit_people",
    "audit_tiles",
    "audit_timestamps",
    "births",
    "certificates",
    "chain_blocks",
    "chain_facts",
    "chain_state",
    "chain_watches",
    "changes",
    "commands",
    "contract_events",
    "contract_facts",
    "contract_intents",
    "contract_scripts",
    "contract_transactions",
    "contracts",
    "cut_offs",
    "devices",
    "enrolment_tokens",
    "events",
    "gap_buckets",
    "gaps",
    "idempotency_keys",
    "ingested",
    "lanes",
    "legal_holds",
    "log_positions",
    "metadata",
    "metrics",
    "node_baselines",
    "nodes",
    "other_revocations",
    "outbox",
    "passkeys",
    "quarantine",
    "recovery_codes",
    "retention",
    "revocation_lists",
    "revocations",
    "role_grants",
    "rollups",
    "security_events",
    "sessions",
    "sites",
    "streams",
    "telemetry",
    "throttles",
    "users",
    "wallet_coins",
    "wallet_entries",
    "wallet_labels",
    "wallet_lots",
    "wallet_periods",
    "wallet_reliefs",
    "wallet_reservations",
    "wallet_scripts",
    "wallets",
    "webhook_deliveries",
    "webhooks",
]
