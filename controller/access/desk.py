"""The desk that the interface asks: who is it, may he come in. Built by `controller.app`.

Short transactions; passwords are hashed outside of them. Attempts are counted before they are
judged (`controller.access.throttle`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, select, update

from controller.access import api_tokens, attempts, factors, passwords, throttle
from controller.access import sessions as session_store
from controller.access.callers import Caller, SessionRef, UserKind, grants_of
from controller.access.factor_seal import FactorSeal
from controller.access.people import is_name
from controller.access.permissions import Permission
from controller.access.records import suspicious
from controller.access.session_life import SessionLimits, Stage, Verdict
from controller.access.sessions import Opened, Visitor
from controller.clock import Clock
from controller.config import AccessConfig
from controller.detection.kinds import SecurityKind
from controller.storage.engine import Storage
from controller.storage.tables import users


class Refusal(StrEnum):
    """Why somebody is not let in; the outside learns no more than this."""

    WRONG = "wrong"
    LOCKED = "locked"
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

    def by_session(self, secret: str, *, may_rotate: bool) -> Admitted | None:
        """The caller of a live session; its id is changed where that is due and possible."""
        now_ms = self.clock.real_ms()
        with self.storage.read() as conn:
            found = session_store.find_session(conn, secret, self.limits, now_ms)
            if found is None:
                return None
            row = _enabled(conn, found.user_id)
            if row is None:
                return None
            session = SessionRef(found.id, found.stage, found.csrf)
            caller = Caller(row.id, row.name, UserKind(row.kind), grants_of(conn, row.id), session)
        if found.verdict is Verdict.ROTATE and may_rotate:
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
        locked = self._count_attempt(name, address)
        if isinstance(locked, Refused):
            return locked
        with self.storage.read() as conn:
            named = select(users).where(users.c.name == (name if is_name(name) else ""))
            row = conn.execute(named).one_or_none()
        kept = None if row is None or row.kind != UserKind.PERSON else row.password_hash
        good = passwords.matches(kept, password)
        if row is None or not good or row.disabled_real_ms is not None:
            self._tell_failed(name, address, "password", None if row is None else row.id)
            return Refused(Refusal.WRONG)
        return self._opened(row, password, Visitor(address, browser[:200]), locked)

    def _opened(
        self,
        row: Row[Any],
        password: str,
        visitor: Visitor,
        counted: list[attempts.Counted],
    ) -> Opened:
        now_ms = self.clock.real_ms()
        rehashed = None
        if passwords.needs_new_hash(row.password_hash):
            rehashed = passwords.hash_password(password)
        with self.storage.write() as conn:
            if rehashed is not None:
                conn.execute(
                    update(users).where(users.c.id == row.id).values(password_hash=rehashed)
                )
            has_factor = bool(factors.factor_kinds(conn, row.id))
            stage = self._stage(has_factor=has_factor)
            for attempt in counted:
                attempts.take_back(conn, attempt, now_ms)
            if stage is not Stage.PASSWORD:
                attempts.clear(conn, attempts.account_key(row.name))
            hashed = attempts.address_hash(conn, visitor.address_hash)
            session_store.remove_ended(conn, self.limits, now_ms)
            return session_store.open_session(
                conn, row.id, stage, Visitor(hashed, visitor.browser), now_ms
            )

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
                attempts.clear(conn, attempts.account_key(caller.name))
                opened = session_store.elevate(conn, caller.user_id, session.id, now_ms)
                return Refused(Refusal.ENDED) if opened is None else opened
        self._tell_failed(caller.name, address, "second factor", caller.user_id)
        return Refused(Refusal.WRONG)

    def password_again(self, caller: Caller, password: str, address: str) -> Refused | None:
        """Whether it is still the same person, before a change of the account; None: it is."""
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


def _enabled(conn: Connection, user_id: int) -> Row[Any] | None:
    query = select(users).where(users.c.id == user_id, users.c.disabled_real_ms.is_(None))
    return conn.execute(query).one_or_none()
