"""Second factors: TOTP (RFC 6238) with each step used once, and recovery codes."""

import hmac

import pyotp
from sqlalchemy import Connection, delete, insert, or_, select, update

from controller.access.factor_seal import FactorSeal
from controller.access.opaque import digest, new_recovery_code
from controller.storage.tables import passkeys, recovery_codes, users

ISSUER = "Bitcoin Enterprise Suite"
RECOVERY_CODES = 10
_STEP_S = 30
_SKEW_STEPS = 1


def matching_step(secret: str, code: str, now_s: int, last_step: int | None) -> int | None:
    """The step whose code was given, within one step of now and after the last one used.

    None when there is none: a code of the same step is refused the second time (RFC 6238
    section 5.2).
    """
    totp = pyotp.TOTP(secret)
    offered = code.encode("utf-8", "surrogateescape")
    found = None
    now = now_s // _STEP_S
    for step in range(max(0, now - _SKEW_STEPS), now + _SKEW_STEPS + 1):
        same = hmac.compare_digest(totp.generate_otp(step).encode(), offered)
        if same and (last_step is None or step > last_step):
            found = step
    return found


def begin_totp(conn: Connection, seal: FactorSeal, user_id: int, name: str) -> tuple[str, str]:
    """A new secret, which counts once a code of it was given: (secret, otpauth URI)."""
    secret = pyotp.random_base32()
    kept = seal.seal(user_id, secret)
    conn.execute(update(users).where(users.c.id == user_id).values(totp_pending=kept))
    return secret, pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def confirm_totp(
    conn: Connection, seal: FactorSeal, user_id: int, code: str, now_ms: int
) -> list[str] | None:
    """Makes the pending secret the account's and returns new recovery codes, shown once.

    None when the code is not one of the pending secret.
    """
    row = conn.execute(
        select(users.c.totp_pending).where(users.c.id == user_id).with_for_update(key_share=True)
    ).one()
    secret = None if row.totp_pending is None else seal.open(user_id, row.totp_pending)
    if secret is None:
        return None
    step = matching_step(secret, code, now_ms // 1_000, None)
    if step is None:
        return None
    conn.execute(
        update(users)
        .where(users.c.id == user_id)
        .values(totp_secret=row.totp_pending, totp_pending=None, totp_last_step=step)
    )
    return new_recovery_codes(conn, user_id)


def use_totp(conn: Connection, seal: FactorSeal, user_id: int, code: str, now_ms: int) -> bool:
    """Whether the code is good; its step is used up. Of two at a time one is refused.

    A secret that was kept before there was a key is sealed by its next use.
    """
    row = conn.execute(
        select(users.c.totp_secret, users.c.totp_last_step).where(users.c.id == user_id)
    ).one()
    secret = None if row.totp_secret is None else seal.open(user_id, row.totp_secret)
    if secret is None:
        return False
    step = matching_step(secret, code, now_ms // 1_000, row.totp_last_step)
    if step is None:
        return False
    kept = row.totp_secret if seal.is_sealed(row.totp_secret) else seal.seal(user_id, secret)
    unused = or_(users.c.totp_last_step.is_(None), users.c.totp_last_step < step)
    unchanged = users.c.totp_secret == row.totp_secret
    used = update(users).where(users.c.id == user_id, unused, unchanged)
    return conn.execute(used.values(totp_last_step=step, totp_secret=kept)).rowcount == 1


def remove_totp(conn: Connection, user_id: int) -> bool:
    """Forgets the secret and the recovery codes; whether there was one."""
    conn.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
    removed = (
        update(users)
        .where(users.c.id == user_id, users.c.totp_secret.is_not(None))
        .values(totp_secret=None, totp_pending=None)
    )
    return conn.execute(removed).rowcount == 1


def new_recovery_codes(conn: Connection, user_id: int) -> list[str]:
    """New codes in place of the old ones."""
    codes = [new_recovery_code() for _ in range(RECOVERY_CODES)]
    conn.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
    rows = [{"user_id": user_id, "secret_sha256": digest(code)} for code in codes]
    conn.execute(insert(recovery_codes), rows)
    return codes


def use_recovery_code(conn: Connection, user_id: int, code: str, now_ms: int) -> bool:
    """Whether the code is one of the account's and was not used; it is now."""
    used = (
        update(recovery_codes)
        .where(
            recovery_codes.c.user_id == user_id,
            recovery_codes.c.secret_sha256 == digest(code.strip().lower()),
            recovery_codes.c.used_real_ms.is_(None),
        )
        .values(used_real_ms=now_ms)
    )
    return conn.execute(used).rowcount == 1


def factor_kinds(conn: Connection, user_id: int) -> list[str]:
    """What the account can show besides its password: "totp", "passkey"; empty: nothing."""
    kinds = []
    secret = select(users.c.totp_secret).where(users.c.id == user_id)
    if conn.scalar(secret) is not None:
        kinds.append("totp")
    if conn.execute(select(passkeys.c.id).where(passkeys.c.user_id == user_id)).first():
        kinds.append("passkey")
    return kinds
