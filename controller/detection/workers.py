"""The workers of detection: the broker's log, the webhook, the cuts, the end of old events."""

import structlog

from controller.background import Worker
from controller.broker import Broker
from controller.clock import Clock
from controller.detection.broker_watch import BrokerWatch
from controller.detection.config import SecurityConfig, WebhookConfig
from controller.detection.cut_off import CutOffs, DynamicSecurity
from controller.detection.deliveries import Deliveries, forget_old
from controller.detection.webhook import Webhook
from controller.storage.engine import Storage

_WATCH_EVERY_S = 1.0
_DELIVER_EVERY_S = 1.0
_CUT_EVERY_S = 1.0
_FORGET_EVERY_S = 3_600.0
_DAY_MS = 86_400_000
_log = structlog.get_logger()


def detection_workers(
    storage: Storage, clock: Clock, security: SecurityConfig, webhook: WebhookConfig | None
) -> list[Worker]:
    """Those of a process whose role takes in `jobs`; `BadInputError` for a secret that is none."""
    workers = [
        Worker("old-security-events", lambda: _forget(storage, clock, security), _FORGET_EVERY_S)
    ]
    if security.broker_log_file is not None:
        trusted = frozenset(security.trusted_clients)
        watch = BrokerWatch(storage, clock, security.broker_log_file, trusted)
        workers.append(Worker("broker-log", watch.round, _WATCH_EVERY_S))
    if webhook is not None:
        deliveries = Deliveries(storage, clock, webhook, Webhook(webhook))
        workers.append(Worker("webhook", deliveries.round, _DELIVER_EVERY_S))
    return workers


def cut_off_worker(storage: Storage, clock: Clock, broker: Broker) -> Worker:
    """The one of a process that holds a connection to the broker; made before it starts."""
    cuts = CutOffs(storage, clock, DynamicSecurity(broker))
    return Worker("cut-offs", cuts.round, _CUT_EVERY_S)


def _forget(storage: Storage, clock: Clock, security: SecurityConfig) -> bool:
    before_ms = clock.now_ms() - int(security.keep_days * _DAY_MS)
    with storage.write() as conn:
        gone = forget_old(conn, before_ms)
    if gone:
        _log.info("old security events were deleted", count=gone)
    return gone > 0
