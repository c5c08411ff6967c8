"""`/api/v1/audit`."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection, Row, Select, func, select, tuple_

from controller.access.permissions import Permission
from controller.api.context import ContextDep
from controller.api.guard import Needs, Permit
from controller.api.paging import Cursor, Limit, Page, decode_cursor, page
from controller.api.problems import ProblemError, documented, not_found
from controller.api.text import NO_NUL
from controller.api.times import From, To, span_ms
from controller.api.v1.audit.responses import (
    AuditHead,
    AuditLeaf,
    AuditStatus,
    Authority,
    ConsistencyProof,
    InclusionProof,
    hexes,
)
from controller.audit import proofs
from controller.audit.export import MEDIA_TYPE, export_lines
from controller.audit.timestamps import authorities
from controller.errors import ConflictError
from controller.storage.tables import audit_heads, audit_leaves, audit_timestamps
from shared.merkle import root_from_inclusion

router = APIRouter(prefix="/audit", tags=["audit"])

AuditReader = Annotated[Permit, Depends(Needs(Permission.AUDIT_READ))]
LeafId = Annotated[int, Path(ge=1, lt=2**63)]
Size = Annotated[int, Query(ge=1, lt=2**62, description="Of the tree, in leaves")]
OptionalSize = Annotated[
    int | None, Query(ge=1, lt=2**62, description="Of the tree; without it the newest head's")
]
_QUEUE_COUNTED = 10_000
_EXPORT: dict[int | str, dict[str, Any]] = {
    int(HTTPStatus.OK): {
        "description": "JSON lines, as `bes audit verify` reads them",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}


@router.get("", summary="How the log stands")
def read_status(context: ContextDep, _permit: AuditReader) -> AuditStatus:
    """Size, queue, newest head and timestamp, and whether the timestamp authority answers."""
    queue = select(audit_leaves.c.id).where(audit_leaves.c.tree_index.is_(None))
    with context.storage.read() as conn:
        queued = conn.scalar(
            select(func.count()).select_from(queue.limit(_QUEUE_COUNTED).subquery())
        )
        newest = conn.execute(_heads().limit(1)).one_or_none()
        stamped = conn.execute(
            _heads().where(audit_timestamps.c.size.is_not(None)).limit(1)
        ).one_or_none()
        asked = authorities(conn)
        size = proofs.tree_size(conn)
    return AuditStatus(
        size=size,
        queued=queued or 0,
        signed=newest is not None and newest.key_id is not None,
        newest_head=None if newest is None else AuditHead.of(newest),
        newest_timestamp=None if stamped is None else AuditHead.of(stamped),
        authorities=[Authority.of(row) for row in asked],
    )


@router.get("/heads", summary="Tree heads, newest first")
def list_heads(
    context: ContextDep, _permit: AuditReader, limit: Limit = 50, cursor: Cursor = None
) -> Page[AuditHead]:
    """One a group of leaves."""
    after = decode_cursor(cursor, int)
    query = _heads().limit(limit + 1)
    if after is not None:
        query = query.where(audit_heads.c.size < after[0])
    with context.storage.read() as conn:
        rows = conn.execute(query).all()
    return page(rows, limit, AuditHead.of, lambda row: [row.size])


@router.get(
    "/heads/latest", summary="The newest tree head", responses=documented(HTTPStatus.NOT_FOUND)
)
def read_latest_head(context: ContextDep, _permit: AuditReader) -> AuditHead:
    """404 while the log is empty."""
    with context.storage.read() as conn:
        row = conn.execute(_heads().limit(1)).one_or_none()
    if row is None:
        raise not_found("head", "latest")
    return AuditHead.of(row)


@router.get("/heads/{size}", responses=documented(HTTPStatus.NOT_FOUND))
def read_head(
    context: ContextDep, _permit: AuditReader, size: Annotated[int, Path(ge=1, lt=2**62)]
) -> AuditHead:
    """The head of a size."""
    with context.storage.read() as conn:
        row = conn.execute(_heads().where(audit_heads.c.size == size)).one_or_none()
    if row is None:
        raise not_found("head of size", size)
    return AuditHead.of(row)


@router.get("/leaves", summary="Leaves, newest first")
def list_leaves(  # noqa: PLR0913 - each filter is a query parameter
    context: ContextDep,
    _permit: AuditReader,
    *,
    kind: Annotated[str | None, Query(max_length=40, pattern=NO_NUL)] = None,
    actor: Annotated[str | None, Query(max_length=200, pattern=NO_NUL)] = None,
    subject: Annotated[str | None, Query(max_length=200, pattern=NO_NUL)] = None,
    start: From = None,
    end: To = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[AuditLeaf]:
    """By the time of the change; queued ones too."""
    after = decode_cursor(cursor, int, int)
    from_ms, to_ms = span_ms(start, end)
    leaves = audit_leaves.c
    query = (
        select(audit_leaves)
        .where(leaves.created_ms >= from_ms, leaves.created_ms < to_ms)
        .order_by(leaves.created_ms.desc(), leaves.id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(tuple_(leaves.created_ms, leaves.id) < tuple_(*after))
    for column, wanted in (
        (leaves.kind, kind),
        (leaves.actor, actor),
        (leaves.subject, subject),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    with context.storage.read() as conn:
        rows = conn.execute(query).all()
    return page(rows, limit, AuditLeaf.of, lambda row: [row.created_ms, row.id])


@router.get("/leaves/{leaf_id}", responses=documented(HTTPStatus.NOT_FOUND))
def read_leaf(context: ContextDep, _permit: AuditReader, leaf_id: LeafId) -> AuditLeaf:
    """One leaf."""
    with context.storage.read() as conn:
        row = _leaf(conn, leaf_id)
    return AuditLeaf.of(row)


@router.get(
    "/leaves/{leaf_id}/proof",
    summary="That a leaf is in the tree",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
def prove_leaf(
    context: ContextDep, _permit: AuditReader, leaf_id: LeafId, size: OptionalSize = None
) -> InclusionProof:
    """An inclusion proof; 409 while the leaf is queued or the tree has not that size."""
    with context.storage.read() as conn:
        row = _leaf(conn, leaf_id)
        if row.tree_index is None:
            raise ProblemError(HTTPStatus.CONFLICT, "the leaf is queued and not yet in the tree")
        return _inclusion(conn, row, size)


@router.get(
    "/proofs/inclusion",
    summary="That the leaf at an index is in the tree",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
def prove_inclusion(
    context: ContextDep,
    _permit: AuditReader,
    index: Annotated[int, Query(ge=0, lt=2**62, description="Of the leaf in the tree")],
    size: OptionalSize = None,
) -> InclusionProof:
    """An inclusion proof; 409 when the tree has not that size."""
    with context.storage.read() as conn:
        row = conn.execute(
            select(audit_leaves).where(audit_leaves.c.tree_index == index)
        ).one_or_none()
        if row is None:
            raise not_found("leaf with index", index)
        return _inclusion(conn, row, size)


@router.get(
    "/proofs/consistency",
    summary="That one tree begins another",
    responses=documented(HTTPStatus.CONFLICT),
)
def prove_consistency(
    context: ContextDep, _permit: AuditReader, first: Size, second: Size
) -> ConsistencyProof:
    """A consistency proof; 409 when the tree has not that size, or `first` is the larger one."""
    if first > second:
        raise ProblemError(HTTPStatus.CONFLICT, "`first` is larger than `second`")
    try:
        with context.storage.read() as conn:
            path = proofs.consistency(conn, first, second)
    except ConflictError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    return ConsistencyProof(first=first, second=second, path=hexes(path))


@router.get(
    "/export",
    summary="The whole log as a file that can be checked anywhere",
    response_class=StreamingResponse,
    responses=_EXPORT,
)
def export_log(context: ContextDep, _permit: AuditReader) -> StreamingResponse:
    """Streamed a page at a time; check it with `bes audit verify`."""
    headers = {"Content-Disposition": 'attachment; filename="audit.jsonl"'}
    return StreamingResponse(export_lines(context.storage), media_type=MEDIA_TYPE, headers=headers)


def _heads() -> Select[Any]:
    stamps = audit_timestamps.c
    return (
        select(
            audit_heads,
            stamps.authority,
            stamps.response,
            stamps.received_ms,
            stamps.time_ms.label("stamp_ms"),
        )
        .join(audit_timestamps, stamps.size == audit_heads.c.size, isouter=True)
        .order_by(audit_heads.c.size.desc())
    )


def _leaf(conn: Connection, leaf_id: int) -> Row[Any]:
    row = conn.execute(select(audit_leaves).where(audit_leaves.c.id == leaf_id)).one_or_none()
    if row is None:
        raise not_found("leaf", leaf_id)
    return row


def _inclusion(conn: Connection, leaf: Row[Any], size: int | None) -> InclusionProof:
    wanted = proofs.tree_size(conn) if size is None else size
    if leaf.tree_index >= wanted:
        raise ProblemError(
            HTTPStatus.CONFLICT, f"leaf {leaf.tree_index} is not in the tree of {wanted} leaves"
        )
    try:
        path = proofs.inclusion(conn, leaf.tree_index, wanted)
    except ConflictError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    return _shown(leaf, wanted, path)


def _shown(leaf: Row[Any], size: int, path: Sequence[bytes]) -> InclusionProof:
    root = root_from_inclusion(leaf.leaf_hash, leaf.tree_index, size, path)
    if root is None:
        raise RuntimeError("a proof out of the stored tiles leads nowhere")
    return InclusionProof(
        index=leaf.tree_index,
        size=size,
        leaf_hash=leaf.leaf_hash.hex(),
        path=hexes(path),
        root=root.hex(),
    )
