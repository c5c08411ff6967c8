"""What clients are told about the audit log. Hashes are lower-case hex."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from controller.api.plain import plain
from shared.messages import cbor
from shared.time import from_ms


class Timestamp(BaseModel):
    """What an RFC 3161 authority said about a head."""

    authority: str
    time: datetime = Field(description="As the authority says")
    received: datetime
    response: str = Field(description="TimeStampResp over the head's note, DER in base64")


class AuditHead(BaseModel):
    """A tree head."""

    size: int
    root: str
    time: datetime
    key_id: str | None = Field(description="null: the head is not signed")
    note: str = Field(description="The checkpoint (c2sp.org/tlog-checkpoint), with its signature")
    timestamp: Timestamp | None

    @classmethod
    def of(cls, row: Row[Any]) -> "AuditHead":
        """From a row of `audit_heads` joined with its timestamp."""
        stamp = None
        if row.authority is not None:
            stamp = Timestamp(
                authority=row.authority,
                time=from_ms(row.stamp_ms),
                received=from_ms(row.received_ms),
                response=base64.b64encode(row.response).decode(),
            )
        return cls(
            size=row.size,
            root=row.root.hex(),
            time=from_ms(row.time_ms),
            key_id=row.key_id,
            note=row.note,
            timestamp=stamp,
        )


class AuditLeaf(BaseModel):
    """Something that was changed, and by whom."""

    id: int
    index: int | None = Field(description="In the tree; null: still queued")
    time: datetime
    kind: str
    actor: str
    subject: str
    data: dict[str, Any]
    leaf_hash: str = Field(description="SHA-256 of a zero byte and the body (RFC 6962)")
    body: str = Field(description="Deterministic CBOR in base64: what the hash is over")

    @classmethod
    def of(cls, row: Row[Any]) -> "AuditLeaf":
        """From a row of `audit_leaves`."""
        told = cbor.expect_map(cbor.decode(row.body), "leaf")
        return cls(
            id=row.id,
            index=row.tree_index,
            time=from_ms(row.created_ms),
            kind=row.kind,
            actor=row.actor,
            subject=row.subject,
            data=plain(told["data"]),
            leaf_hash=row.leaf_hash.hex(),
            body=base64.b64encode(row.body).decode(),
        )


class InclusionProof(BaseModel):
    """That a leaf stands in the tree of a size (RFC 9162 section 2.1.3)."""

    index: int
    size: int
    leaf_hash: str
    path: list[str] = Field(description="From the leaf upwards")
    root: str = Field(description="What the path leads to")


class ConsistencyProof(BaseModel):
    """That one tree begins another (RFC 9162 section 2.1.4)."""

    first: int
    second: int
    path: list[str]


class Authority(BaseModel):
    """How a timestamp authority has been answering."""

    url: str
    failures: int = Field(description="Since it last answered well")
    problem: str | None
    problem_time: datetime | None
    succeeded: datetime | None

    @classmethod
    def of(cls, row: Row[Any]) -> "Authority":
        """From a row of `audit_authorities`."""
        return cls(
            url=row.url,
            failures=row.failures,
            problem=row.problem,
            problem_time=None if row.problem_ms is None else from_ms(row.problem_ms),
            succeeded=None if row.succeeded_ms is None else from_ms(row.succeeded_ms),
        )


class AuditStatus(BaseModel):
    """How the log stands."""

    size: int
    queued: int = Field(description="Leaves not yet in the tree, counted up to 10,000")
    signed: bool = Field(description="Whether the newest head is signed")
    newest_head: AuditHead | None
    newest_timestamp: AuditHead | None = Field(description="The newest head that has one")
    authorities: list[Authority]


def hexes(hashes: Sequence[bytes]) -> list[str]:
    """Hashes as they are shown."""
    return [one.hex() for one in hashes]
