"""Has the newest head timestamped now and then. What fails here is told and holds up nothing.

Replicas do not agree on who asks: whoever finds the newest timestamp too old asks, and of two
answers for one head the first is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from cryptography.x509 import Certificate
from sqlalchemy import Connection, Row, select

from controller.audit import stamps
from controller.audit.authority import Authority, AuthorityError
from controller.clock import Clock
from controller.detection.kinds import SecurityKind
from controller.detection.report import report
from controller.metrics import ControllerMetrics
from controller.storage.engine import Storage
from controller.storage.tables import audit_authorities, audit_heads, audit_timestamps
from controller.storage.upsert import insert_missing, upsert
from shared.time import to_ms

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StampRules:
    """The roots that answers must lead to, and how old the newest timestamp may become."""

    roots: tuple[Certificate, ...]
    every_ms: int


class Timestamper:
    """A round asks for one timestamp, when one is due."""

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        authority: Authority,
        rules: StampRules,
        metrics: ControllerMetrics,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._authority = authority
        self._rules = rules
        self._metrics = metrics

    def round(self) -> bool:
        """Always False: the next one is due with time."""
        now_ms = self._clock.now_ms()
        with self._storage.read() as conn:
            head = _head_to_stamp(conn, now_ms - self._rules.every_ms)
        if head is None:
            return False
        question = stamps.question(head.note)
        try:
            response = self._authority.ask(question.body)
            time = stamps.check(response, head.note, self._rules.roots, question.nonce)
        except AuthorityError as error:
            self._tell_failure(str(error), refused=False)
            return False
        except stamps.StampError as error:
            self._tell_failure(str(error), refused=True)
            return False
        row = {
            "size": head.size,
            "authority": self._authority.url,
            "response": response,
            "time_ms": to_ms(time),
            "received_ms": now_ms,
        }
        with self._storage.write() as conn:
            insert_missing(conn, audit_timestamps, [row], ["size"])
            _note_answer(conn, self._authority.url, now_ms)
        self._metrics.audit_timestamps.labels("granted").inc()
        return False

    def _tell_failure(self, problem: str, *, refused: bool) -> None:
        _log.warning("no timestamp for the audit log", authority=self._authority.url, why=problem)
        self._metrics.audit_timestamps.labels("failed").inc()
        with self._storage.write() as conn:
            _note_failure(conn, self._authority.url, problem, self._clock.now_ms())
            if refused:
                report(
                    conn,
                    kind=SecurityKind.TIMESTAMP_REFUSED,
                    subject=self._authority.url,
                    detail={"problem": problem},
                    now_ms=self._clock.now_ms(),
                )


def _head_to_stamp(conn: Connection, before_ms: int) -> Row[Any, Any] | None:
    newest = conn.execute(
        select(audit_timestamps.c.size, audit_timestamps.c.received_ms)
        .order_by(audit_timestamps.c.size.desc())
        .limit(1)
    ).one_or_none()
    if newest is not None and newest.received_ms > before_ms:
        return None
    head = conn.execute(
        select(audit_heads.c.size, audit_heads.c.note).order_by(audit_heads.c.size.desc()).limit(1)
    ).one_or_none()
    if head is None or (newest is not None and newest.size == head.size):
        return None
    return head


def _note_answer(conn: Connection, url: str, now_ms: int) -> None:
    row = {"url": url, "failures": 0, "problem": None, "problem_ms": None, "succeeded_ms": now_ms}
    upsert(conn, audit_authorities, [row], ["url"])


def _note_failure(conn: Connection, url: str, problem: str, now_ms: int) -> None:
    known = conn.execute(
        select(audit_authorities).where(audit_authorities.c.url == url).with_for_update()
    ).one_or_none()
    row = {
        "url": url,
        "failures": 1 if known is None else known.failures + 1,
        "problem": problem[:300],
        "problem_ms": now_ms,
        "succeeded_ms": None if known is None else known.succeeded_ms,
    }
    upsert(conn, audit_authorities, [row], ["url"])


def authorities(conn: Connection) -> Sequence[Row[Any]]:
    """How every authority that was asked has been answering."""
    return conn.execute(select(audit_authorities).order_by(audit_authorities.c.url)).all()
