"""Tokens: made, listed, confirmed or refused, withdrawn. Each call is one transaction's part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, true, update

from controller.audit import queue_leaf
from controller.clock import Clock
from controller.enrolment.authority import Authority
from controller.enrolment.issuing import admit
from controller.enrolment.judge import TOKEN_LIFETIME_MS, Offer, taken
from controller.enrolment.life import OPEN, EnrolmentEvent, EnrolmentState, after
from controller.errors import ConflictError, MissingError
from controller.fleet.commands import CONTROLLER
from controller.storage.tables import enrolment_tokens, nodes
from shared.enrolment import EnrolmentToken

_EXPIRE_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Terms:
    """Whom a token is for, and what binds it; `network` is a CIDR, None is from anywhere."""

    node: str
    site_id: str
    site_name: str
    role: str
    network: str | None
    confirm_key: bool


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants a token, and which sites he has to do with."""

    actor: str
    reaches_site: Callable[[str], bool]


def issue_token(
    conn: Connection,
    clock: Clock,
    authority: Authority,
    asker: Asker,
    terms: Terms,
    token: EnrolmentToken,
) -> Row[Any]:
    """Writes down a token; one in the asker's reach that is open for the same node is withdrawn.

    `ConflictError` when the name is not to be had: one of the company's own programs has it, the
    node is known with another site or role, or a token out of the asker's reach is open for it. He
    does not learn which.
    """
    refusal = ConflictError(taken(terms.node))
    if authority.is_reserved(terms.node):
        raise refusal
    known = conn.execute(select(nodes).where(nodes.c.name == terms.node)).one_or_none()
    if known is not None and (known.site_id, known.role) != (terms.site_id, terms.role):
        raise refusal
    opened = _open_tokens(conn, enrolment_tokens.c.node == terms.node)
    if not all(asker.reaches_site(row.site_id) for row in opened):
        raise refusal
    actor = asker.actor
    _withdraw(conn, clock, actor, opened)
    now_ms = clock.real_ms()
    row = conn.execute(
        enrolment_tokens.insert()
        .values(
            token_sha256=token.sha256,
            node=terms.node,
            site_id=terms.site_id,
            site_name=terms.site_name,
            role=terms.role,
            network=terms.network,
            confirm_key=terms.confirm_key,
            state=EnrolmentState.ISSUED.value,
            actor=actor,
            issued_real_ms=now_ms,
            expires_real_ms=now_ms + TOKEN_LIFETIME_MS,
        )
        .returning(*enrolment_tokens.c)
    ).one()
    data = {
        "id": row.id,
        "site": terms.site_id,
        "role": terms.role,
        "network": terms.network,
        "confirm_key": terms.confirm_key,
        "expires_ms": row.expires_real_ms,
    }
    _leaf(conn, clock, "enrolment.token_issued", actor, terms.node, data)
    return row


def offer_of(row: Row[Any]) -> Offer:
    """The token as the judge sees it."""
    return Offer(
        state=EnrolmentState(row.state),
        node=row.node,
        confirm_key=row.confirm_key,
        network=row.network,
        expires_ms=row.expires_real_ms,
        key_sha256=row.key_sha256,
        finished_ms=row.finished_real_ms,
    )


def read_token(conn: Connection, token_id: int) -> Row[Any]:
    """A token by its number, locked where the transaction writes; `MissingError` without one."""
    query = select(enrolment_tokens).where(enrolment_tokens.c.id == token_id)
    row = conn.execute(query).one_or_none()
    if row is None:
        raise MissingError("enrolment", token_id)
    return row


def step(conn: Connection, row: Row[Any], event: EnrolmentEvent, **values: Any) -> Row[Any]:
    """Takes an enrolment one step on, if it is still as `row` says.

    `ConflictError` when the event does not fit its state, or somebody was faster.
    """
    state = EnrolmentState(row.state)
    target = after(state, event)
    if target is state:
        raise ConflictError(f"the enrolment of {row.node} is {state.value}")
    changed = conn.execute(
        update(enrolment_tokens)
        .where(enrolment_tokens.c.id == row.id, enrolment_tokens.c.version == row.version)
        .values(state=target.value, version=row.version + 1, **values)
        .returning(*enrolment_tokens.c)
    ).one_or_none()
    if changed is None:
        raise ConflictError(f"the enrolment of {row.node} has changed since; read it again")
    return changed


def confirm(
    conn: Connection, clock: Clock, authority: Authority, actor: str, confirmed: tuple[int, bytes]
) -> Row[Any]:
    """Lets the host with that key in: (number, SHA-256 of the key) as the operator compared it.

    `MissingError` without such an enrolment; `ConflictError` when it does not await confirmation,
    its time is up, or the key is another.
    """
    token_id, key_sha256 = confirmed
    row = read_token(conn, token_id)
    if row.state != EnrolmentState.AWAITING_CONFIRMATION.value:
        raise ConflictError(f"the enrolment of {row.node} is {row.state}")
    if clock.real_ms() >= row.expires_real_ms:
        raise ConflictError(f"the enrolment of {row.node} was to be confirmed earlier")
    if row.key_sha256 != key_sha256:
        raise ConflictError(f"{row.node} presented a key with another fingerprint")
    row = step(conn, row, EnrolmentEvent.CONFIRMED, finished_real_ms=clock.real_ms())
    data = {"id": row.id, "key_sha256": key_sha256}
    _leaf(conn, clock, "enrolment.confirmed", actor, row.node, data)
    return admit(conn, clock, authority, actor, row)


def refuse(conn: Connection, clock: Clock, actor: str, token_id: int) -> Row[Any]:
    """Turns away the host that awaits confirmation. Raises as `confirm`."""
    row = read_token(conn, token_id)
    row = step(conn, row, EnrolmentEvent.REFUSED, finished_real_ms=clock.real_ms())
    _leaf(conn, clock, "enrolment.refused", actor, row.node, {"id": row.id})
    return row


def withdraw(conn: Connection, clock: Clock, actor: str, token_id: int) -> Row[Any]:
    """Makes an open token worthless. Raises as `confirm`."""
    row = read_token(conn, token_id)
    row = step(conn, row, EnrolmentEvent.WITHDRAWN, finished_real_ms=clock.real_ms())
    _leaf(conn, clock, "enrolment.withdrawn", actor, row.node, {"id": row.id})
    return row


def withdraw_all(conn: Connection, clock: Clock, actor: str, node: str) -> None:
    """Makes every open token of a node worthless."""
    _withdraw(conn, clock, actor, _open_tokens(conn, enrolment_tokens.c.node == node))


def withdraw_every_one(conn: Connection, clock: Clock, actor: str) -> int:
    """Makes all open tokens worthless; how many there were."""
    opened = _open_tokens(conn, true())
    _withdraw(conn, clock, actor, opened)
    return len(opened)


def expire(conn: Connection, clock: Clock) -> int:
    """Marks some of the tokens whose time is up; how many."""
    now_ms = clock.real_ms()
    late = _open_tokens(conn, enrolment_tokens.c.expires_real_ms <= now_ms)[:_EXPIRE_AT_ONCE]
    for row in late:
        step(conn, row, EnrolmentEvent.TIME_IS_UP, finished_real_ms=now_ms)
        _leaf(conn, clock, "enrolment.expired", CONTROLLER, row.node, {"id": row.id})
    return len(late)


def any_late(conn: Connection, clock: Clock) -> bool:
    """Whether `expire` would find any."""
    states = [state.value for state in OPEN]
    late = select(enrolment_tokens.c.id).where(
        enrolment_tokens.c.state.in_(states),
        enrolment_tokens.c.expires_real_ms <= clock.real_ms(),
    )
    return conn.execute(late.limit(1)).first() is not None


def _withdraw(conn: Connection, clock: Clock, actor: str, opened: Sequence[Row[Any]]) -> None:
    for row in opened:
        step(conn, row, EnrolmentEvent.WITHDRAWN, finished_real_ms=clock.real_ms())
        _leaf(conn, clock, "enrolment.withdrawn", actor, row.node, {"id": row.id})


def _open_tokens(conn: Connection, which: Any) -> Sequence[Row[Any]]:
    states = [state.value for state in OPEN]
    query = (
        select(enrolment_tokens)
        .where(enrolment_tokens.c.state.in_(states), which)
        .order_by(enrolment_tokens.c.id)
        .with_for_update()
    )
    return conn.execute(query).all()


def _leaf(
    conn: Connection, clock: Clock, kind: str, actor: str, node: str, data: dict[str, Any]
) -> None:
    queue_leaf(conn, kind=kind, actor=actor, subject=node, data=data, now_ms=clock.now_ms())
