"""Sessions in the database: opened, found, raised to a second factor, given a new id, ended.

The id is 256 random bits, kept as its hash. Times are real milliseconds.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from controller.access.opaque import digest, new_session_secret
from controller.access.session_life import SessionLimits, SessionTimes, Stage, Verdict, judge
from controller.storage.tables import sessions

_MOST_PER_USER = 20
_MAX_SECRET = 100


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a session was opened from, as it is kept."""

    address_hash: str
    browser: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A session with its id, which only its cookie holds from now on."""

    id: int
    user_id: int
    secret: str
    csrf: str
    stage: Stage


@dataclass(frozen=True, slots=True)
class Found:
    """A live session, and what is to be done with it."""

    id: int
    user_id: int
    stage: Stage
    csrf: str
    verdict: Verdict
    stale: bool
    """Whether its last use is to be written."""


def is_open_from(conn: Connection, address_hash: str) -> bool:
    """Whether anybody has a whole session that was opened from this address."""
    whole = sessions.c.address_hash == address_hash, sessions.c.stage == Stage.FULL
    return conn.scalar(select(sessions.c.id).where(*whole).limit(1)) is not None


def open_session(
    conn: Connection, user_id: int, stage: Stage, visitor: Visitor, now_ms: int
) -> Opened:
    """Begins a session with an id of its own; the oldest of too many end."""
    secret, csrf = new_session_secret(), new_session_secret()
    session_id = conn.execute(
        insert(sessions)
        .values(
            user_id=user_id,
            secret_sha256=digest(secret),
            csrf=csrf,
            stage=stage,
            created_real_ms=now_ms,
            seen_real_ms=now_ms,
            rotated_real_ms=now_ms,
            address_hash=visitor.address_hash,
            browser=visitor.browser,
        )
        .returning(sessions.c.id)
    ).scalar_one()
    newest = (
        select(sessions.c.id)
        .where(sessions.c.user_id == user_id)
        .order_by(sessions.c.id.desc())
        .limit(_MOST_PER_USER)
    )
    conn.execute(
        delete(sessions).where(sessions.c.user_id == user_id, sessions.c.id.not_in(newest))
    )
    return Opened(session_id, user_id, secret, csrf, stage)


def find_session(conn: Connection, secret: str, limits: SessionLimits, now_ms: int) -> Found | None:
    """The live session of an id; None when there is none or its time is over."""
    if not 0 < len(secret) <= _MAX_SECRET:
        return None
    kept = digest(secret)
    row = conn.execute(
        select(sessions).where(
            or_(
                sessions.c.secret_sha256 == kept,
                (sessions.c.previous_sha256 == kept) & (sessions.c.previous_until_real_ms > now_ms),
            )
        )
    ).one_or_none()
    if row is None:
        return None
    stage = Stage(row.stage)
    verdict = judge(stage, times_of(row), limits, now_ms)
    if verdict is Verdict.ENDED:
        return None
    if row.secret_sha256 != kept:  # its successor is on its way already
        verdict = Verdict.GOOD
    stale = now_ms - row.seen_real_ms >= limits.touch_ms
    return Found(row.id, row.user_id, stage, row.csrf, verdict, stale)


def owner_of(conn: Connection, secret: str) -> int | None:
    """Whose session it is or was, as long as its row is there."""
    if not 0 < len(secret) <= _MAX_SECRET:
        return None
    kept = digest(secret)
    named = or_(sessions.c.secret_sha256 == kept, sessions.c.previous_sha256 == kept)
    return conn.scalar(select(sessions.c.user_id).where(named).limit(1))


def times_of(row: Row[Any]) -> SessionTimes:
    """The times of a session's row."""
    return SessionTimes(row.created_real_ms, row.seen_real_ms, row.rotated_real_ms)


def touch(conn: Connection, session_id: int, now_ms: int) -> None:
    """Writes that it was used."""
    conn.execute(update(sessions).where(sessions.c.id == session_id).values(seen_real_ms=now_ms))


def rotate(
    conn: Connection, session_id: int, offered: str, limits: SessionLimits, now_ms: int
) -> str | None:
    """A new id for the session; None when another request has just given it one."""
    secret = new_session_secret()
    changed = conn.execute(
        update(sessions)
        .where(sessions.c.id == session_id, sessions.c.secret_sha256 == digest(offered))
        .values(
            secret_sha256=digest(secret),
            previous_sha256=digest(offered),
            previous_until_real_ms=now_ms + limits.grace_ms,
            rotated_real_ms=now_ms,
            seen_real_ms=now_ms,
        )
    ).rowcount
    return secret if changed else None


def elevate(conn: Connection, user_id: int, session_id: int, now_ms: int) -> Opened | None:
    """The second factor was given: a new id and CSRF token, and the old id opens nothing."""
    secret, csrf = new_session_secret(), new_session_secret()
    changed = conn.execute(
        update(sessions)
        .where(
            sessions.c.id == session_id,
            sessions.c.user_id == user_id,
            sessions.c.stage != Stage.FULL,
        )
        .values(
            secret_sha256=digest(secret),
            previous_sha256=None,
            previous_until_real_ms=None,
            csrf=csrf,
            stage=Stage.FULL,
            rotated_real_ms=now_ms,
            seen_real_ms=now_ms,
            challenge=None,
        )
    ).rowcount
    return Opened(session_id, user_id, secret, csrf, Stage.FULL) if changed else None


def end_session(conn: Connection, user_id: int, session_id: int) -> bool:
    """Ends one of an account's sessions; False when it has no such."""
    ended = delete(sessions).where(sessions.c.id == session_id, sessions.c.user_id == user_id)
    return conn.execute(ended).rowcount > 0


def is_kept(conn: Connection, session_id: int) -> bool:
    """Whether nobody has ended it since it was found."""
    return conn.scalar(select(sessions.c.id).where(sessions.c.id == session_id)) is not None


def end_all(conn: Connection, user_id: int, but: int | None = None) -> int:
    """Ends every session of an account, except one where given; how many."""
    ended = delete(sessions).where(sessions.c.user_id == user_id)
    if but is not None:
        ended = ended.where(sessions.c.id != but)
    return conn.execute(ended).rowcount


def live_sessions(
    conn: Connection, user_id: int, limits: SessionLimits, now_ms: int
) -> list[Row[Any]]:
    """An account's sessions that still open something, newest first."""
    rows = conn.execute(
        select(sessions).where(sessions.c.user_id == user_id).order_by(sessions.c.id.desc())
    )
    return [
        row
        for row in rows
        if judge(Stage(row.stage), times_of(row), limits, now_ms) is not Verdict.ENDED
    ]


def remove_ended(conn: Connection, limits: SessionLimits, now_ms: int) -> None:
    """Deletes rows whose time is over."""
    conn.execute(
        delete(sessions).where(
            or_(
                sessions.c.created_real_ms < now_ms - limits.absolute_ms,
                sessions.c.seen_real_ms < now_ms - limits.idle_ms,
            )
        )
    )


def keep_challenge(conn: Connection, session_id: int, challenge: bytes, until_ms: int) -> None:
    """Remembers the challenge of a passkey ceremony; a new one replaces it."""
    conn.execute(
        update(sessions)
        .where(sessions.c.id == session_id)
        .values(challenge=challenge, challenge_until_real_ms=until_ms)
    )


def take_challenge(conn: Connection, session_id: int, now_ms: int) -> bytes | None:
    """The challenge, which is thereby used up; None when there is none or it is too old."""
    row = conn.execute(
        select(sessions.c.challenge, sessions.c.challenge_until_real_ms)
        .where(sessions.c.id == session_id)
        .with_for_update()
    ).one_or_none()
    if row is None or row.challenge is None:
        return None
    conn.execute(update(sessions).where(sessions.c.id == session_id).values(challenge=None))
    return bytes(row.challenge) if now_ms < row.challenge_until_real_ms else None
