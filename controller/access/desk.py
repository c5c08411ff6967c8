"""The desk that the interface asks: who is it, may he come in. Built by `controller.app`.

Short transactions; passwords are hashed outside of them. Attempts are counted before they are
judged (`controller.access.throttle`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Row, select, update

from controller.access import api_tokens, attempts, factors, passwords, throttle
from controller.access import sessions as session_store
from controller.access.addresses import place_of
from controller.access.callers import Caller, SessionRef, UserKind, grants_of
from controller.access.factor_seal import FactorSeal
from controller.access.people import is_name
from controller.access.permissions import Permission
from controller.access.places import PlaceQueue, Queues
from controller.access.records import changed, suspicious
from controller.access.session_life import SessionLimits, Stage, Verdict
from controller.access.sessions import Opened, Visitor
from controller.clock import Clock
from controller.config import AccessConfig
from controller.detection.kinds import SecurityKind
from controller.storage.engine import Storage
from controller.storage.tables import users

T = TypeVar("T")
_BUSY_MS = 2_000

_log = structlog.get_logger()


class Refusal(StrEnum):
    """Why somebody is not let in; the outside learns no more than this."""

    WRONG = "wrong"
    LOCKED = "locked"
    BUSY = "busy"
    """Too many passwords are judged at once; nothing was counted."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Refused:
    """Not let in. `retry_ms` where it is a matter of time."""

    refusal: Refusal
    retry_ms: int = 0


@dataclass(frozen=True, slots=True)
class Admitted:
    """A caller with a session; `new_secret` where its id has just changed."""

    caller: Caller
    new_secret: str | None = None


@dataclass(frozen=True, slots=True)
class AccessDesk:
    """Sessions, tokens and attempts over one database."""

    storage: Storage
    clock: Clock
    config: AccessConfig
    seal: FactorSeal = field(default_factory=FactorSeal)
    queues: Queues = field(default_factory=Queues)

    @property
    def limits(self) -> SessionLimits:
        """How long sessions last, by the configuration."""
        return SessionLimits(
            idle_ms=round(self.config.session_idle_minutes * 60_000),
            absolute_ms=round(self.config.session_hours * 3_600_000),
            rotate_ms=round(self.config.session_rotate_minutes * 60_000),
        )

    def by_token(self, token: str) -> Caller | None:
        """The owner of a good API token, limited to what the token is for."""
        now_ms = self.clock.real_ms()
        with self.storage.read() as conn:
            row = api_tokens.find_token(conn, token, now_ms)
            if row is None:
                return None
            grants = grants_of(conn, row.user_id)
        if api_tokens.is_use_stale(row, now_ms):
            with self.storage.write() as conn:
                api_tokens.touch(conn, row.id, now_ms)
        known = set(Permission)
        return Caller(
            user_id=row.user_id,
            name=row.name,
            kind=UserKind(row.kind),
            grants=grants,
            token_id=row.id,
            limited_to=frozenset(Permission(p) for p in row.permissions if p in known),
        )

    def by_session(self, secret: str, *, is_request: bool) -> Admitted | None:
        """The caller of a live session; its id is changed where that is due.

        Only a request (no WebSocket, which a page keeps open by itself) counts as its use. A
        session that was to set a second factor up is over when the account has one.
        """
        now_ms = self.clock.real_ms()
        with self.storage.read() as conn:
            found = session_store.find_session(conn, secret, self.limits, now_ms)
            if found is None:
                return None
            row = _enabled(conn, found.user_id)
            if row is None or _is_outrun(conn, found):
                return None
            first = row.first_password_until_real_ms is not None
            session = SessionRef(found.id, found.stage, found.csrf, has_first_password=first)
            caller = Caller(row.id, row.name, UserKind(row.kind), grants_of(conn, row.id), session)
        if not is_request:
            return Admitted(caller)
        if found.verdict is Verdict.ROTATE:
            with self.storage.write() as conn:
                new = session_store.rotate(conn, found.id, secret, self.limits, now_ms)
            return Admitted(caller, new)
        if found.stale:
            with self.storage.write() as conn:
                session_store.touch(conn, found.id, now_ms)
        return Admitted(caller)

    def sign_in(self, name: str, password: str, address: str, browser: str) -> Opened | Refused:
        """The first step: name and password. Wrong, unknown and disabled are told alike."""
        name = name.strip().lower()
        queue = self._queue(name, address)
        if isinstance(queue, Refused):
            return queue
        with queue.place(place_of(address) or address) as has_place:
            if not has_place:
                return _busy()
            return self._first_step(name, password, address, browser)

    def _first_step(self, name: str, password: str, address: str, browser: str) -> Opened | Refused:
        counted = self._count_attempt(name, address)
        if isinstance(counted, Refused):
            return counted
        with self.storage.read() as conn:
            named = select(users).where(users.c.name == (name if is_name(name) else ""))
            row = conn.execute(named).one_or_none()
        kept = None if row is None or row.kind != UserKind.PERSON else row.password_hash
        good = passwords.matches(kept, password)
        if row is not None and good and row.disabled_real_ms is None:
            visitor = Visitor(address, browser[:200])
            opened = self._opened(row, password, visitor, counted)
            if opened is not None:
                return opened
        self._tell_failed(name, address, "password", None if row is None else row.id)
        return Refused(Refusal.WRONG)

    def _opened(
        self,
        row: Row[Any],
        password: str,
        visitor: Visitor,
        counted: list[attempts.Counted],
    ) -> Opened | None:
        """A session; None where the first password is too old, or this one was changed since."""
        now_ms = self.clock.real_ms()
        until_ms = row.first_password_until_real_ms
        if until_ms is not None and now_ms >= until_ms:
            return None
        rehashed = None
        if passwords.needs_new_hash(row.password_hash):
            rehashed = passwords.hash_password(password)
        with self.storage.write() as conn:
            now = _enabled(conn, row.id, locked=True)
            if now is None or now.password_hash != row.password_hash:
                return None
            if rehashed is not None:
                conn.execute(
                    update(users).where(users.c.id == row.id).values(password_hash=rehashed)
                )
            has_factor = bool(factors.factor_kinds(conn, row.id))
            stage = self._stage(has_factor=has_factor)
            for attempt in counted:
                attempts.take_back(conn, attempt, now_ms)
            if stage is not Stage.PASSWORD:
                attempts.forgive(conn, attempts.account_key(row.name), now_ms)
            hashed = attempts.address_hash(conn, visitor.address_hash)
            session_store.remove_ended(conn, self.limits, now_ms)
            if stage is not Stage.PASSWORD:
                self._tell_entered(conn, row.id, stage)
            return session_store.open_session(
                conn, row.id, stage, Visitor(hashed, visitor.browser), now_ms
            )

    def _tell_entered(self, conn: Connection, user_id: int, stage: Stage) -> None:
        """Somebody is in: a leaf, so that a year later it can be said who was, and when."""
        who = f"user:{user_id}"
        changed(conn, self.clock, "session.opened", who, who, stage=stage.value)

    def _stage(self, *, has_factor: bool) -> Stage:
        if has_factor:
            return Stage.PASSWORD
        return Stage.ENROLLING if self.config.second_factor == "required" else Stage.FULL

    def second_factor(
        self, caller: Caller, address: str, check: Callable[[Connection, int], bool]
    ) -> Opened | Refused:
        """The second step: `check` judges a code or an assertion, in the transaction that raises
        the session. A wrong one counts against the account like a wrong password."""
        session = caller.session
        if session is None or session.stage is not Stage.PASSWORD:
            return Refused(Refusal.ENDED)
        counted = self._count_attempt(caller.name, address)
        if isinstance(counted, Refused):
            return counted
        now_ms = self.clock.real_ms()
        with self.storage.write() as conn:
            if check(conn, now_ms):
                for attempt in counted:
                    attempts.take_back(conn, attempt, now_ms)
                attempts.forgive(conn, attempts.account_key(caller.name), now_ms)
                opened = session_store.elevate(conn, caller.user_id, session.id, now_ms)
                if opened is None:
                    return Refused(Refusal.ENDED)
                self._tell_entered(conn, caller.user_id, Stage.FULL)
                return opened
        self._tell_failed(caller.name, address, "second factor", caller.user_id)
        return Refused(Refusal.WRONG)

    def password_again(self, caller: Caller, password: str, address: str) -> Refused | None:
        """Whether it is still the same person, before a change of the account; None: it is."""
        queue = self._queue(caller.name, address)
        if isinstance(queue, Refused):
            return queue
        with self.queues.known.place(caller.actor) as has_place:
            return self._same_person(caller, password, address) if has_place else _busy()

    def _same_person(self, caller: Caller, password: str, address: str) -> Refused | None:
        counted = self._count_attempt(caller.name, address)
        if isinstance(counted, Refused):
            return counted
        with self.storage.read() as conn:
            row = _enabled(conn, caller.user_id)
        if row is None or not passwords.matches(row.password_hash, password):
            self._tell_failed(caller.name, address, "password again", caller.user_id)
            return Refused(Refusal.WRONG)
        with self.storage.write() as conn:
            for attempt in counted:
                attempts.take_back(conn, attempt, self.clock.real_ms())
        return None

    def first_code(
        self, caller: Caller, address: str, confirm: Callable[[Connection, int], T | None]
    ) -> T | Refused:
        """The first code of an authenticator app: `confirm` judges it, in the transaction that
        makes the app the account's. A wrong one counts against the account like a wrong password:
        a stolen session must not guess its way to a second factor of its own."""
        counted = self._count_attempt(caller.name, address)
        if isinstance(counted, Refused):
            return counted
        now_ms = self.clock.real_ms()
        with self.storage.write() as conn:
            made = confirm(conn, now_ms)
            if made is not None:
                for attempt in counted:
                    attempts.take_back(conn, attempt, now_ms)
                return made
        self._tell_failed(caller.name, address, "first code", caller.user_id)
        return Refused(Refusal.WRONG)

    def tell_bad_token(self, token: str, address: str) -> None:
        """Records that a token was refused: with its owner, else with where it came from."""
        with self.storage.write() as conn:
            user_id, reason = api_tokens.why_refused(conn, token, self.clock.real_ms())
            self._tell(conn, SecurityKind.TOKEN_REFUSED, user_id, address, reason)

    def tell_bad_session(self, secret: str, address: str) -> None:
        """Records that a change came with a session that is over, or that never was."""
        with self.storage.write() as conn:
            user_id = session_store.owner_of(conn, secret)
            reason = "unknown" if user_id is None else "ended"
            self._tell(conn, SecurityKind.SESSION_REFUSED, user_id, address, reason)

    def tell_half_way(self, user_id: int, address: str, reason: str) -> None:
        """Records that a session without its second factor was used as if it were whole."""
        with self.storage.write() as conn:
            self._tell(conn, SecurityKind.SESSION_REFUSED, user_id, address, reason)

    def tell_forged(self, user_id: int | None, address: str, reason: str) -> None:
        """Records that a request came from elsewhere than our own page."""
        with self.storage.write() as conn:
            self._tell(conn, SecurityKind.REQUEST_FORGED, user_id, address, reason)

    def tell_bad_passkey(self, user_id: int, address: str) -> None:
        """Records that a passkey was not taken at its registration."""
        with self.storage.write() as conn:
            self._tell(conn, SecurityKind.PASSKEY_REFUSED, user_id, address, "no good answer")

    def _tell(
        self, conn: Connection, kind: SecurityKind, user_id: int | None, address: str, reason: str
    ) -> None:
        """What the sender makes up is no part of it: who tries on is counted on the same row."""
        hashed = attempts.address_hash(conn, address)
        subject = f"address:{hashed}" if user_id is None else f"user:{user_id}"
        suspicious(conn, self.clock, kind, subject, {"reason": reason, "address_hash": hashed})

    def _queue(self, name: str, address: str) -> PlaceQueue | Refused:
        """Where to wait for a place, by what is known of the address. Only read: whoever is locked
        out takes no place at all."""
        now_ms = self.clock.real_ms()
        with self.storage.read() as conn:
            hashed = attempts.kept_address_hash(conn, address)
            by_address = attempts.address_key(hashed or "")
            keys = [attempts.account_key(name), by_address]
            locked_ms = attempts.locked_for_ms(conn, keys, now_ms)
            if locked_ms:
                return Refused(Refusal.LOCKED, locked_ms)
            if hashed is not None and session_store.is_open_from(conn, hashed):
                return self.queues.known
            window_ms = throttle.ADDRESS.window_ms
            if attempts.has_failed_lately(conn, by_address, window_ms, now_ms):
                return self.queues.suspects
        return self.queues.strangers

    def _count_attempt(self, name: str, address: str) -> list[attempts.Counted] | Refused:
        now_ms = self.clock.real_ms()
        with self.storage.write() as conn:
            by_account = attempts.account_key(name)
            by_address = attempts.address_key(attempts.address_hash(conn, address))
            locked_ms = attempts.locked_for_ms(conn, [by_account, by_address], now_ms)
            if locked_ms:
                return Refused(Refusal.LOCKED, locked_ms)
            return [
                attempts.count(conn, by_address, throttle.ADDRESS, now_ms),
                attempts.count(conn, by_account, throttle.ACCOUNT, now_ms),
            ]

    def _tell_failed(self, name: str, address: str, step: str, user_id: int | None) -> None:
        now_ms = self.clock.real_ms()
        with self.storage.write() as conn:
            hashed = attempts.address_hash(conn, address)
            subject = "unknown" if user_id is None else f"user:{user_id}"
            detail = {"step": step, "address_hash": hashed}
            suspicious(conn, self.clock, SecurityKind.SIGN_IN_FAILED, subject, detail)
            keys = [attempts.account_key(name), attempts.address_key(hashed)]
            locked_ms = attempts.locked_for_ms(conn, keys, now_ms)
            if locked_ms:
                detail = {**detail, "locked_ms": str(locked_ms)}
                suspicious(conn, self.clock, SecurityKind.ACCOUNT_LOCKED, subject, detail)


def _busy() -> Refused:
    _log.warning("too many passwords at once; one was refused")
    return Refused(Refusal.BUSY, _BUSY_MS)


def _enabled(conn: Connection, user_id: int, *, locked: bool = False) -> Row[Any] | None:
    query = select(users).where(users.c.id == user_id, users.c.disabled_real_ms.is_(None))
    return conn.execute(query.with_for_update(key_share=True) if locked else query).one_or_none()


def _is_outrun(conn: Connection, found: session_store.Found) -> bool:
    """Whether a second factor was set up in another session while this one was to do it."""
    return found.stage is Stage.ENROLLING and bool(factors.factor_kinds(conn, found.user_id))
