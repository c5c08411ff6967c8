"""The intermediate's own end is told of in time: with it ends all issuing and listing."""

from datetime import timedelta

from sqlalchemy import select

from controller.clock import Clock
from controller.detection.kinds import SecurityKind
from controller.detection.report import report
from controller.enrolment.authority import Authority
from controller.storage.engine import Storage
from controller.storage.tables import security_events
from shared.time import from_ms

TOLD_AHEAD_MS = timedelta(days=60) // timedelta(milliseconds=1)
_AGAIN_AFTER_MS = timedelta(days=1) // timedelta(milliseconds=1)


def tell_of_end(storage: Storage, clock: Clock, authority: Authority) -> bool:
    """A security event a day, from 60 days before the end of the intermediate in use; whether one
    was left now."""
    if clock.real_ms() < authority.ends_ms - TOLD_AHEAD_MS:
        return False
    now_ms = clock.now_ms()
    told = select(security_events.c.id).where(
        security_events.c.kind == SecurityKind.INTERMEDIATE_ENDS.value,
        security_events.c.subject == authority.issuer,
        security_events.c.last_ms > now_ms - _AGAIN_AFTER_MS,
    )
    with storage.read() as conn:
        if conn.execute(told.limit(1)).first() is not None:
            return False
    with storage.write() as conn:
        report(
            conn,
            kind=SecurityKind.INTERMEDIATE_ENDS,
            subject=authority.issuer,
            detail={"ends": from_ms(authority.ends_ms).isoformat()},
            now_ms=now_ms,
        )
    return True
