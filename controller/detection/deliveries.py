"""Sends the messages that wait for the webhook, each at least once and under the same id.

A message is claimed by moving its due time on (a lease), in a transaction of its own: nothing is
locked while the receiver takes its time, and what a process leaves behind when it dies is due again
when the lease ends.
"""

import random
from typing import Any

import structlog
from sqlalchemy import Connection, Row, delete, or_, select, update

from controller.clock import Clock
from controller.detection.config import WebhookConfig
from controller.detection.delivery_life import DeliveryState, Schedule, next_attempt
from controller.detection.kinds import SecurityKind
from controller.detection.report import report
from controller.detection.webhook import GoneError, NotDeliveredError, NotTriedError, Webhook
from controller.retention.classes import DataClass
from controller.retention.holds import holds_in_force
from controller.retention.plan import kept_spans
from controller.storage.engine import Storage
from controller.storage.tables import security_events, webhook_deliveries, webhooks
from controller.storage.upsert import upsert

NAME = "security"
_A_ROUND = 20
_DAY_MS = 86_400_000
_log = structlog.get_logger()


def enter_webhook(conn: Connection, config: WebhookConfig | None) -> None:
    """Events have a message made for each enabled receiver; called at the start, as configured."""
    if config is None:
        conn.execute(update(webhooks).values(enabled=0))
        return
    upsert(conn, webhooks, [{"name": NAME, "url": config.url, "enabled": 1}], ["name"])


class Deliveries:
    """The worker's round."""

    def __init__(
        self, storage: Storage, clock: Clock, config: WebhookConfig, webhook: Webhook
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._webhook = webhook
        self._lease_ms = int(config.timeout_s * 4_000) + 10_000
        self._schedule = Schedule(
            int(config.first_pause_s * 1_000),
            int(config.longest_pause_s * 1_000),
            int(config.dead_after_days * _DAY_MS),
        )
        self._source = random.Random()  # noqa: S311 - spreads retries, guards nothing

    def round(self) -> bool:
        """Sends what is due, one after the other; True when there may be more."""
        for _ in range(_A_ROUND):
            row = self._claim()
            if row is None:
                return False
            if not self._deliver(row):
                return False
        return True

    def _claim(self) -> Row[Any] | None:
        now_ms = self._clock.real_ms()
        with self._storage.write() as conn:
            row = conn.execute(
                select(webhook_deliveries)
                .where(
                    webhook_deliveries.c.state == DeliveryState.WAITING.value,
                    webhook_deliveries.c.due_real_ms <= now_ms,
                    webhook_deliveries.c.webhook == NAME,
                )
                .order_by(webhook_deliveries.c.due_real_ms, webhook_deliveries.c.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            ).one_or_none()
            if row is not None:
                first = now_ms if row.first_real_ms is None else row.first_real_ms
                self._set(conn, row, due_real_ms=now_ms + self._lease_ms, first_real_ms=first)
            return row

    def _deliver(self, row: Row[Any]) -> bool:
        """False: nothing more is to be tried now."""
        try:
            self._webhook.send(row.message_id, row.body)
        except NotTriedError:
            self._put_back(row)
            return False
        except NotDeliveredError as error:
            self._failed(row, str(error)[:300], gone=isinstance(error, GoneError))
            return True
        with self._storage.write() as conn:
            self._set(
                conn,
                row,
                state=DeliveryState.DELIVERED.value,
                attempts=row.attempts + 1,
                finished_real_ms=self._clock.real_ms(),
                problem=None,
            )
        return True

    def _put_back(self, row: Row[Any]) -> None:
        """Not tried: due again soon. Time goes on for it all the same."""
        now_ms = self._clock.real_ms()
        first_ms = now_ms if row.first_real_ms is None else row.first_real_ms
        problem = row.problem or "the receiver has been failing"
        self._settle(row, row.attempts, first_ms, problem, now_ms)

    def _failed(self, row: Row[Any], problem: str, *, gone: bool) -> None:
        now_ms = self._clock.real_ms()
        first_ms = now_ms if row.first_real_ms is None else row.first_real_ms
        _log.warning("a message was not delivered", message_id=row.message_id, problem=problem)
        begun_ms = now_ms - self._schedule.dead_after_ms if gone else first_ms
        self._settle(row, row.attempts + 1, begun_ms, problem, now_ms)

    def _settle(
        self, row: Row[Any], attempts: int, begun_ms: int, problem: str, now_ms: int
    ) -> None:
        jitter = self._source.random()
        due_ms = next_attempt(self._schedule, max(1, attempts), begun_ms, now_ms, jitter)
        with self._storage.write() as conn:
            if due_ms is not None:
                self._set(conn, row, due_real_ms=due_ms, attempts=attempts, problem=problem)
                return
            died = self._set(
                conn,
                row,
                state=DeliveryState.DEAD.value,
                attempts=attempts,
                finished_real_ms=now_ms,
                problem=problem,
            )
            if not died:
                return
            report(
                conn,
                kind=SecurityKind.WEBHOOK_DEAD,
                subject="webhook",
                detail={"problem": problem},
                now_ms=self._clock.now_ms(),
            )

    def _set(self, conn: Connection, row: Row[Any], **values: Any) -> bool:
        """Whether it was still waiting. Final states never change: a lease that ran out may have
        let another finish it."""
        changed = conn.execute(
            update(webhook_deliveries)
            .where(
                webhook_deliveries.c.id == row.id,
                webhook_deliveries.c.state == DeliveryState.WAITING.value,
            )
            .values(**values)
        )
        return changed.rowcount > 0


def forget_old(conn: Connection, before_ms: int, most: int = 1_000) -> int:
    """Deletes events whose series ended before, but not what a legal hold on events, or on every
    class, reaches into; their leaves stay. How many.

    A hold for one node keeps the events of its time whoever they are about: an account or an
    address that they name may have to do with that node.
    """
    columns = security_events.c
    free = [
        or_(columns.last_ms < span.from_ms, columns.first_ms >= span.to_ms)
        for span in kept_spans(holds_in_force(conn), DataClass.EVENTS)
    ]
    old = list(
        conn.scalars(
            select(columns.id)
            .where(columns.first_ms < before_ms, columns.last_ms < before_ms, *free)
            .order_by(columns.first_ms)
            .limit(most)
        )
    )
    if old:
        conn.execute(delete(webhook_deliveries).where(webhook_deliveries.c.event_id.in_(old)))
        conn.execute(delete(security_events).where(security_events.c.id.in_(old)))
    return len(old)
