"""Attempts to sign in, counted in the database by account and by address."""

import hashlib
import hmac
import secrets
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, and_, delete, or_, select, update

from controller.access import throttle
from controller.access.addresses import place_of
from controller.access.throttle import Limit, Strikes
from controller.storage.tables import access_salts, throttles
from controller.storage.upsert import insert_missing

_ADDRESS_SALT = "address"


@dataclass(frozen=True, slots=True)
class Counted:
    """A key with its state before and after the attempt."""

    key: str
    before: Strikes
    after: Strikes

    @property
    def locked_now(self) -> bool:
        """Whether this attempt was the one that locked it."""
        return self.after.lockouts > self.before.lockouts


def account_key(name: str) -> str:
    """The key of an account's attempts, whether or not there is such an account."""
    return "account:" + hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()


def address_hash(conn: Connection, address: str) -> str:
    """An address as logs may keep it, and as attempts are counted: the HMAC of its place (of IPv6
    the /64, `controller.access.addresses`) with a salt of this deployment's."""
    insert_missing(
        conn,
        access_salts,
        [{"name": _ADDRESS_SALT, "value": secrets.token_bytes(32)}],
        ["name"],
    )
    salt = conn.scalars(
        select(access_salts.c.value).where(access_salts.c.name == _ADDRESS_SALT)
    ).one()
    return _hash(salt, address)


def kept_address_hash(conn: Connection, address: str) -> str | None:
    """`address_hash` in a transaction that only reads; None before the first attempt of all."""
    salt = conn.scalar(select(access_salts.c.value).where(access_salts.c.name == _ADDRESS_SALT))
    return None if salt is None else _hash(salt, address)


def address_key(hashed: str) -> str:
    """The key of an address's attempts."""
    return f"address:{hashed}"


def locked_for_ms(conn: Connection, keys: list[str], now_ms: int) -> int:
    """The longest lock on any of the keys."""
    rows = conn.execute(select(throttles).where(throttles.c.key.in_(keys)))
    return max((max(0, row.locked_until_real_ms - now_ms) for row in rows), default=0)


def locked_keys(conn: Connection, keys: list[str], now_ms: int) -> set[str]:
    """Those of the keys that are locked."""
    locked = select(throttles.c.key).where(
        throttles.c.key.in_(keys), throttles.c.locked_until_real_ms > now_ms
    )
    return set(conn.scalars(locked))


def has_failed_lately(conn: Connection, key: str, window_ms: int, now_ms: int) -> bool:
    """Whether an attempt of the key's failed within the window, or is judged now, or it was locked
    since it was last forgotten."""
    in_window = and_(throttles.c.failures > 0, throttles.c.since_real_ms > now_ms - window_ms)
    failed = or_(throttles.c.lockouts > 0, in_window)
    return conn.scalar(select(throttles.c.key).where(throttles.c.key == key, failed)) is not None


def count(conn: Connection, key: str, limit: Limit, now_ms: int) -> Counted:
    """Counts one attempt; the row is locked until the transaction ends."""
    conn.execute(
        delete(throttles).where(throttles.c.touched_real_ms < now_ms - throttle.FORGOTTEN_AFTER_MS)
    )
    insert_missing(
        conn, throttles, [{"key": key, **_columns(Strikes(since_ms=now_ms), 0)}], ["key"]
    )
    before = _state(conn, key)
    after = throttle.after_attempt(before, limit, now_ms)
    _write(conn, key, after, now_ms)
    return Counted(key, before, after)


def take_back(conn: Connection, counted: Counted, now_ms: int) -> None:
    """The attempt was right: it counts no longer, other failures still do."""
    state = throttle.taken_back(counted.before, counted.after, _state(conn, counted.key))
    _write(conn, counted.key, state, now_ms)


def forgive(conn: Connection, key: str, now_ms: int) -> None:
    """Forgets the failures of a key after its owner came in, unless it is locked: then somebody
    else has locked it while he did."""
    not_locked = throttles.c.locked_until_real_ms <= now_ms
    conn.execute(delete(throttles).where(throttles.c.key == key, not_locked))


def clear(conn: Connection, key: str) -> bool:
    """Forgets every failure of a key, and unlocks it; whether there was anything."""
    return conn.execute(delete(throttles).where(throttles.c.key == key)).rowcount > 0


def _hash(salt: bytes, address: str) -> str:
    place = place_of(address) or address
    return hmac.digest(salt, place.encode("utf-8", "surrogateescape"), "sha256").hex()[:32]


def _state(conn: Connection, key: str) -> Strikes:
    row = conn.execute(
        select(throttles).where(throttles.c.key == key).with_for_update()
    ).one_or_none()
    if row is None:
        return Strikes()
    return Strikes(row.failures, row.since_real_ms, row.lockouts, row.locked_until_real_ms)


def _write(conn: Connection, key: str, state: Strikes, now_ms: int) -> None:
    conn.execute(update(throttles).where(throttles.c.key == key).values(_columns(state, now_ms)))


def _columns(state: Strikes, now_ms: int) -> dict[str, int]:
    values = asdict(state)
    return {
        "failures": values["failures"],
        "since_real_ms": values["since_ms"],
        "lockouts": values["lockouts"],
        "locked_until_real_ms": values["locked_until_ms"],
        "touched_real_ms": now_ms,
    }
