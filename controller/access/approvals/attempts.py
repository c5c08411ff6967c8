"""What was refused is written down as a security event, which has its own audit leaf."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from controller.access.records import suspicious
from controller.clock import Clock
from controller.detection.kinds import SecurityKind
from controller.errors import ConflictError
from controller.storage.engine import Storage

T = TypeVar("T")


class RefusedAttemptError(ConflictError):
    """An attempt that is not taken, and has changed nothing. `reason` is a fixed code."""

    def __init__(self, subject: str, reason: str, text: str) -> None:
        super().__init__(text)
        self.subject = subject
        self.reason = reason


def attempt(
    storage: Storage,
    clock: Clock,
    actor: str,
    work: Callable[[Connection], T],
    kind: SecurityKind = SecurityKind.APPROVAL_REFUSED,
) -> T:
    """`work` in a transaction. When it refuses, everything it did is rolled back, and the attempt
    is recorded in a transaction of its own before the refusal goes on."""
    try:
        with storage.write() as conn:
            return work(conn)
    except RefusedAttemptError as refused:
        with storage.write() as conn:
            detail = {"actor": actor, "reason": refused.reason}
            suspicious(conn, clock, kind, refused.subject, detail)
        raise
