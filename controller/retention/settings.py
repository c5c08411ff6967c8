"""How long each class is kept: changed by one person, or with others' approval."""

import re
import secrets
from typing import Any

from sqlalchemy import Connection, Row, select, update

from controller.access.approvals.config import PolicyRule
from controller.access.approvals.keys import Owner
from controller.access.approvals.requests import Wish, open_request
from controller.audit import queue_leaf
from controller.clock import Clock
from controller.errors import ConflictError, MissingError
from controller.retention.classes import DataClass
from controller.storage.tables import retention
from shared.approvals.fields import UNIQUE_BYTES
from shared.approvals.intents import AnyIntent, PolicyIntent
from shared.errors import BadInputError

POLICY = "retention"
DAY_MS = 86_400_000
_FOR_EVER = "for ever"
_SPAN = re.compile(r"([1-9][0-9]{0,14}) (days|ms)")


def kept(conn: Connection, data_class: str) -> Row[Any]:
    """The row of a class, locked; `MissingError` for one without a setting."""
    query = select(retention).where(retention.c.data_class == data_class).with_for_update()
    row = conn.execute(query).one_or_none()
    if row is None:
        raise MissingError("retention of class", data_class)
    return row


def change_keep(
    conn: Connection, clock: Clock, row: Row[Any], keep_ms: int | None, actor: str
) -> Row[Any]:
    """Sets how long the class of `row` is kept (None: for ever), by compare-and-set."""
    now_ms = clock.now_ms()
    written = conn.execute(
        update(retention)
        .where(retention.c.data_class == row.data_class, retention.c.version == row.version)
        .values(keep_ms=keep_ms, updated_ms=now_ms, version=row.version + 1)
        .returning(*retention.c)
    ).one_or_none()
    if written is None:
        raise ConflictError("it was changed by somebody else just now")
    queue_leaf(
        conn,
        kind="retention.changed",
        actor=actor,
        subject=row.data_class,
        data={"keep_ms": keep_ms, "version": written.version},
        now_ms=now_ms,
    )
    return written


def ask_keep(
    conn: Connection,
    clock: Clock,
    rule: PolicyRule,
    asking: Owner,
    row: Row[Any],
    keep_ms: int | None,
) -> str:
    """Puts the change before the approvers that the rule names; the request's id."""
    until_ms = clock.now_ms() + rule.lifetime_s * 1_000
    change = (row.data_class, keep_words(row.keep_ms), keep_words(keep_ms))
    unique = secrets.token_bytes(UNIQUE_BYTES)
    intent = PolicyIntent(POLICY, (change,), until_ms, unique)
    wish = Wish(
        intent, asking.user_id, asking.name, asking.actor, rule.approvers, rule.name, until_ms
    )
    return open_request(conn, clock, wish)


def carry_out(conn: Connection, clock: Clock, intent: AnyIntent, actor: str) -> str:
    """Makes approved changes, if all is still as the approvers saw it; what was changed."""
    if not isinstance(intent, PolicyIntent) or intent.policy != POLICY:
        raise TypeError(f"an intent of kind {intent.kind.value} changes no retention")
    for name, before, after in intent.changes:
        row = kept(conn, DataClass(name).value)
        if keep_words(row.keep_ms) != before:
            raise ConflictError(f"{name} is kept {keep_words(row.keep_ms)}, no longer {before}")
        change_keep(conn, clock, row, keep_from_words(after), actor)
    return ", ".join(name for name, _, _ in intent.changes)


def keep_words(keep_ms: int | None) -> str:
    """`90 days`, exact milliseconds where it is no whole number of days, or `for ever`."""
    if keep_ms is None:
        return _FOR_EVER
    return f"{keep_ms} ms" if keep_ms % DAY_MS else f"{keep_ms // DAY_MS} days"


def keep_from_words(text: str) -> int | None:
    """Reads `keep_words`'s."""
    if text == _FOR_EVER:
        return None
    found = _SPAN.fullmatch(text)
    if found is None:
        raise BadInputError("keep", repr(text)[:60], "N days, N ms, or for ever")
    return int(found[1]) * (DAY_MS if found[2] == "days" else 1)
