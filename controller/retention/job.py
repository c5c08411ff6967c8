"""Deletes what is past its time and nobody holds, a bounded number of rows a transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import ColumnElement, Connection, Table, and_, delete, not_, or_, select

from controller.audit import queue_leaf
from controller.clock import Clock
from controller.config import RetentionConfig
from controller.fleet.aggregate import HOUR_MS, MINUTE_MS, QUARTER_MS
from controller.fleet.command_life import TERMINAL
from controller.fleet.commands import CONTROLLER
from controller.fleet.streams import StreamKind
from controller.metrics import ControllerMetrics
from controller.retention.classes import DataClass
from controller.retention.holds import holds_in_force
from controller.retention.plan import Kept, cutoff, held_wholly_or_partly, kept_spans
from controller.storage.engine import Storage
from controller.storage.partitions import DAY_MS, drop_partition, list_partitions
from controller.storage.tables import (
    alarms,
    changes,
    commands,
    devices,
    events,
    idempotency_keys,
    ingested,
    outbox,
    quarantine,
    retention,
    rollups,
    streams,
    telemetry,
)
from controller.storage.upsert import insert_missing

_ROWS_A_ROUND = 5_000
_CHANGES_KEPT_MS = 3_600_000
_INGESTED_KEPT_MS = 7 * DAY_MS
_KEYS_KEPT_MS = 7 * DAY_MS
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a class of data lies: its table, its own time, and which rows of the table it is."""

    table: Table
    time: ColumnElement[int]
    only: ColumnElement[bool] | None = None


def enter_defaults(conn: Connection, clock: Clock, config: RetentionConfig) -> None:
    """Enters how long each class is kept where the database does not say yet."""
    days = {
        DataClass.TELEMETRY: config.telemetry_days,
        DataClass.MINUTE_ROLLUPS: config.minute_rollups_days,
        DataClass.QUARTER_HOUR_ROLLUPS: config.quarter_hour_rollups_days,
        DataClass.HOUR_ROLLUPS: config.hour_rollups_days,
        DataClass.EVENTS: config.events_days,
        DataClass.COMMANDS: config.commands_days,
    }
    rows = [
        {"data_class": name.value, "keep_ms": int(kept * DAY_MS), "updated_ms": clock.now_ms()}
        for name, kept in days.items()
    ]
    insert_missing(conn, retention, rows, ["data_class"])


class RetentionJob:
    """One round deletes a bounded number of rows of each class."""

    def __init__(self, storage: Storage, clock: Clock, metrics: ControllerMetrics) -> None:
        self._storage = storage
        self._clock = clock
        self._metrics = metrics

    def round(self) -> bool:
        """True when there is more to delete at once."""
        more = False
        for data_class in DataClass:
            with self._storage.write() as conn:
                gone = self._delete_class(conn, data_class)
            more = more or gone >= _ROWS_A_ROUND
        with self._storage.write() as conn:
            self._delete_transient(conn)
        return more

    def _delete_class(self, conn: Connection, data_class: DataClass) -> int:
        keep = conn.execute(
            select(retention.c.keep_ms).where(retention.c.data_class == data_class.value)
        ).one_or_none()
        before_ms = None if keep is None else cutoff(self._clock.now_ms(), keep.keep_ms)
        if before_ms is None:
            return 0
        kept = kept_spans(holds_in_force(conn), data_class)
        gone = 0
        if data_class is DataClass.TELEMETRY and self._storage.is_postgresql:
            gone += self._drop_days(conn, before_ms, kept)
        for rule in _rules(data_class):
            gone += _delete_rows(conn, rule, before_ms, kept)
        if gone:
            self._metrics.rows_deleted.labels(data_class.value).inc(gone)
            queue_leaf(
                conn,
                kind="retention.deleted",
                actor=CONTROLLER,
                subject=data_class.value,
                data={"before_ms": before_ms, "rows": gone},
                now_ms=self._clock.now_ms(),
            )
        return gone

    def _drop_days(self, conn: Connection, before_ms: int, kept: Sequence[Kept]) -> int:
        """Whole days go with their partition, which costs the same however many rows it has."""
        gone = 0
        for name, day in list_partitions(conn):
            if day is None or (day + 1) * DAY_MS > before_ms:
                continue
            if held_wholly_or_partly(kept, day * DAY_MS, (day + 1) * DAY_MS):
                continue
            gone += int(conn.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar() or 0)  # noqa: S608 - a name of ours
            drop_partition(conn, name)
            _log.info("a day of telemetry was dropped", partition=name)
        return gone

    def _delete_transient(self, conn: Connection) -> None:
        """What is bookkeeping: told changes, rolled batches, old idempotency keys."""
        real_ms, now_ms = self._clock.real_ms(), self._clock.now_ms()
        old = changes.c.real_ms < real_ms - _CHANGES_KEPT_MS
        _delete_some(conn, changes, old)
        rolled = ingested.c.rolled_ms < now_ms - _INGESTED_KEPT_MS
        _delete_some(conn, ingested, rolled)
        keys = idempotency_keys.c.created_ms < now_ms - _KEYS_KEPT_MS
        conn.execute(delete(idempotency_keys).where(keys))


def _rules(data_class: DataClass) -> list[Rule]:
    if data_class is DataClass.TELEMETRY:
        unread = quarantine.c.kind == StreamKind.TELEMETRY
        return [
            Rule(telemetry, telemetry.c.time_ms),
            Rule(quarantine, quarantine.c.received_ms, unread),
        ]
    if data_class is DataClass.EVENTS:
        return [
            Rule(events, events.c.time_ms),
            Rule(alarms, alarms.c.lowered_ms),
            Rule(quarantine, quarantine.c.received_ms, quarantine.c.kind == StreamKind.EVENT),
        ]
    if data_class is DataClass.COMMANDS:
        ended = commands.c.state.in_([state.value for state in TERMINAL])
        return [Rule(commands, commands.c.issued_at_ms, ended)]
    widths = {
        DataClass.MINUTE_ROLLUPS: MINUTE_MS,
        DataClass.QUARTER_HOUR_ROLLUPS: QUARTER_MS,
        DataClass.HOUR_ROLLUPS: HOUR_MS,
    }
    width = rollups.c.width_ms == widths[data_class]
    return [Rule(rollups, rollups.c.start_ms, width)]


def _delete_rows(conn: Connection, rule: Rule, before_ms: int, kept: Sequence[Kept]) -> int:
    wanted = [rule.time < before_ms]
    if rule.only is not None:
        wanted.append(rule.only)
    wanted += [not_(_held(rule.table, rule.time, span)) for span in kept]
    return _delete_some(conn, rule.table, and_(*wanted))


def _held(table: Table, time: ColumnElement[int], span: Kept) -> ColumnElement[bool]:
    inside = and_(time >= span.from_ms, time < span.to_ms)
    if span.node is None:
        return inside
    if "node" in table.c:
        return and_(inside, table.c.node == span.node)
    if "stream" in table.c:
        owned = select(streams.c.id).where(streams.c.node == span.node)
        return and_(inside, table.c.stream.in_(owned))
    owned = select(devices.c.id).where(devices.c.node == span.node)
    return and_(inside, table.c.device_id.in_(owned))


def _delete_some(conn: Connection, table: Table, which: ColumnElement[bool]) -> int:
    """At most `_ROWS_A_ROUND` rows; the keys are read first, for DELETE has no LIMIT."""
    keys = list(_key_columns(table))
    found = conn.execute(select(*keys).where(which).limit(_ROWS_A_ROUND)).all()
    for start in range(0, len(found), 250):
        rows = found[start : start + 250]
        these = or_(*(and_(*(k == v for k, v in zip(keys, row, strict=True))) for row in rows))
        if table is commands:
            ids = [row[0] for row in rows]
            conn.execute(delete(outbox).where(outbox.c.command_id.in_(ids)))
        conn.execute(delete(table).where(these))
    return len(found)


def _key_columns(table: Table) -> Sequence[ColumnElement[object]]:
    if table is telemetry:
        return [telemetry.c.stream, telemetry.c.seq, telemetry.c.time_ms]
    return list(table.primary_key.columns)
