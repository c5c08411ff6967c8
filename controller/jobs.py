"""The background jobs: roll-ups, commands whose time is up, retention, revocation lists."""

from sqlalchemy import func, select

from controller.access.approvals import requests as approval_requests
from controller.audit.workers import audit_workers
from controller.background import Worker
from controller.config import ControllerConfig
from controller.detection.workers import detection_workers
from controller.enrolment.job import enrolment_workers
from controller.fleet.command_life import CommandEvent
from controller.fleet.commands import overdue, step
from controller.fleet.rollups import roll_node, unrolled_nodes
from controller.retention.job import RetentionJob
from controller.services import Services
from controller.storage.partitions import DAY_MS, DAYS_AHEAD, Partitions
from controller.storage.tables import ingested

_OVERDUE_EVERY_S = 1.0


def job_workers(services: Services, config: ControllerConfig) -> list[Worker]:
    """The workers of a process whose role takes in `jobs`."""
    retention = RetentionJob(services.storage, services.clock, services.metrics)
    return [
        Worker("roller", lambda: _roll(services), config.ingest.roll_every_s),
        Worker("overdue-commands", lambda: _judge_overdue(services), _OVERDUE_EVERY_S),
        Worker("overdue-approvals", lambda: _end_approvals(services), _OVERDUE_EVERY_S),
        Worker("retention", retention.round, config.retention.every_s),
        Worker("partitions", lambda: _make_partitions(services), config.retention.every_s),
        *enrolment_workers(services, config),
        *audit_workers(services, config.audit),
        *detection_workers(services.storage, services.clock, config.security, config.webhook),
    ]


def _roll(services: Services) -> bool:
    """One round over every node; True when something was rolled, for there may be more."""
    with services.storage.read() as conn:
        nodes = unrolled_nodes(conn)
        unrolled = select(func.count()).where(ingested.c.rolled_ms.is_(None))
        services.metrics.unrolled.set(conn.scalar(unrolled) or 0)
    written = 0
    for node in nodes:
        with services.storage.write() as conn:
            written += roll_node(conn, services.clock, services.meanings, node)
    services.metrics.rolled_buckets.inc(written)
    if written:
        services.live.wake()
    return False


def _judge_overdue(services: Services) -> bool:
    with services.storage.read() as conn:
        ids = overdue(conn, services.clock.now_ms())
    for command_id in ids:
        with services.storage.write() as conn:
            step(conn, services.clock, command_id, CommandEvent.TIME_IS_UP)
    if ids:
        services.live.wake()
    return False


def _end_approvals(services: Services) -> bool:
    with services.storage.read() as conn:
        ids = approval_requests.overdue(conn, services.clock.now_ms())
    for request_id in ids:
        with services.storage.write() as conn:
            approval_requests.end_if_overdue(conn, services.clock, request_id)
    if ids:
        services.live.wake()
    return False


def _make_partitions(services: Services) -> bool:
    """Ahead of the day, so that its first rows do not wait."""
    now_ms = services.clock.now_ms()
    times = [now_ms + day * DAY_MS for day in range(DAYS_AHEAD)]
    Partitions(services.storage).ensure(times, now_ms)
    return False
