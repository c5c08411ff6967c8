"""What aliases mean: a birth as ids of this database, read once and kept.

A birth's number never changes its meaning, so that what was read stays true.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from sqlalchemy import Connection, select

from controller.storage.tables import births, devices, metrics
from shared.messages.birth import Birth, MetricDeclaration

_KEPT = 2_000


@dataclass(frozen=True, slots=True)
class Meaning:
    """One birth: device ids, metric ids and metric declarations, each by alias."""

    node: str
    devices: Mapping[int, int]
    metric_ids: Mapping[int, int]
    metrics: Mapping[int, MetricDeclaration]


class Meanings:
    """A bounded cache of births by (telemetry stream, number); safe between threads."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, int], Meaning] = OrderedDict()
        self._lock = Lock()

    def find(self, conn: Connection, stream: int, number: int) -> Meaning | None:
        """The meaning of a birth; None when the birth is not in the database."""
        key = (stream, number)
        with self._lock:
            meaning = self._known.get(key)
        if meaning is None:
            meaning = read_meaning(conn, stream, number)
            if meaning is not None:
                self._keep(key, meaning)
        return meaning

    def _keep(self, key: tuple[int, int], meaning: Meaning) -> None:
        with self._lock:
            self._known[key] = meaning
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)


def read_meaning(conn: Connection, stream: int, number: int) -> Meaning | None:
    """Reads a birth and the ids of what it declares."""
    row = conn.execute(
        select(births.c.node, births.c.body).where(
            births.c.stream == stream, births.c.number == number
        )
    ).one_or_none()
    if row is None:
        return None
    birth = Birth.decode(row.body)
    named = select(devices.c.name, devices.c.id).where(devices.c.node == row.node)
    device_ids = dict(conn.execute(named).all())
    ids = metric_ids(conn, birth.metrics)
    return Meaning(
        node=row.node,
        devices={device.alias: device_ids[device.name] for device in birth.devices},
        metric_ids={metric.alias: ids[_key(metric)] for metric in birth.metrics},
        metrics={metric.alias: metric for metric in birth.metrics},
    )


def metric_ids(
    conn: Connection, wanted: tuple[MetricDeclaration, ...]
) -> dict[tuple[str, str, str], int]:
    """The ids of metrics by (name, unit, type), of those that are in the database."""
    found: dict[tuple[str, str, str], int] = {}
    names = sorted({metric.name for metric in wanted})
    for start in range(0, len(names), 500):
        query = select(metrics).where(metrics.c.name.in_(names[start : start + 500]))
        found |= {(row.name, row.unit, row.type): row.id for row in conn.execute(query)}
    return found


def _key(metric: MetricDeclaration) -> tuple[str, str, str]:
    return metric.name, metric.unit, metric.type.value
