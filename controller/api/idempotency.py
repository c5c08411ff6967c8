"""Idempotency-Key: a request that is sent again is answered again, and done once."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from controller.api.problems import ProblemError
from controller.storage.tables import idempotency_keys

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=128,
        pattern=r"^[\x21-\x7e]+$",
        description="Unique to this request; sent again with the same body it is done once.",
    ),
]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST, as it is told from another: who, where, its key and a digest of its body."""

    actor: str
    key: str
    method: str
    path: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Made:
    """What a first attempt made, where it is, and the status of the answer."""

    body: BaseModel
    location: str
    status: HTTPStatus = HTTPStatus.CREATED


async def body_digest(request: Request) -> bytes:
    """SHA-256 of the request's body as it came."""
    return sha256(await request.body()).digest()


BodyDigest = Annotated[bytes, Depends(body_digest)]


def once(conn: Connection, attempt: Attempt, now_ms: int, make: Callable[[], Made]) -> Response:
    """The answer to `attempt`: made now, or kept from before; all within `conn`'s transaction.

    The same key with another request is refused with 409. What `make` raises rolls the attempt
    back with everything else, so that it may be tried again.
    """
    if not _claim(conn, attempt, now_ms):
        return _kept(conn, attempt)
    made = make()
    headers = {"Location": made.location}
    content = made.body.model_dump_json().encode()
    conn.execute(
        update(idempotency_keys)
        .where(idempotency_keys.c.actor == attempt.actor, idempotency_keys.c.key == attempt.key)
        .values(status=made.status, headers=headers, response=content)
    )
    return Response(content, made.status, headers, media_type="application/json")


def _claim(conn: Connection, attempt: Attempt, now_ms: int) -> bool:
    """Takes the key; False when it is taken. On PostgreSQL this waits for one being served."""
    values = {
        "actor": attempt.actor,
        "key": attempt.key,
        "method": attempt.method,
        "path": attempt.path,
        "request_sha256": attempt.digest,
        "created_ms": now_ms,
    }
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    statement = (
        dialect.insert(idempotency_keys)
        .values(values)
        .on_conflict_do_nothing()
        .returning(idempotency_keys.c.key)
    )
    return conn.execute(statement).first() is not None


def _kept(conn: Connection, attempt: Attempt) -> Response:
    row = conn.execute(
        select(idempotency_keys).where(
            idempotency_keys.c.actor == attempt.actor, idempotency_keys.c.key == attempt.key
        )
    ).one()
    same = (row.method, row.path, row.request_sha256) == (
        attempt.method,
        attempt.path,
        attempt.digest,
    )
    if not same:
        raise ProblemError(HTTPStatus.CONFLICT, "this Idempotency-Key was used for another request")
    headers = {**row.headers, "Idempotency-Replayed": "true"}
    return Response(row.response, row.status, headers, media_type="application/json")
