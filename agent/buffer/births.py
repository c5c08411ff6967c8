"""What the aliases of the rows mean: the registry of devices and metrics, and its births.

An alias keeps its meaning as long as the database lives. A birth lists those in use and never
changes once it has its number: whatever changes it makes a new one.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from firmware_bridges.metrics import Metric
from shared.errors import BadInputError
from shared.messages import cbor
from shared.messages.birth import (
    MAX_DEVICES,
    MAX_METRICS,
    Birth,
    DeviceDeclaration,
    MetricDeclaration,
    MetricType,
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this process is: its node, this start of it, its software, and the SHA-256 (hex) of what
    it was started with, by name."""

    node: str
    boot_id: str
    software: str
    hashes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeviceDescription:
    """A device as it is declared; see `DeviceDeclaration`, whose alias the registry allots."""

    name: str
    kind: str
    family: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Registry:
    """The aliases in use and the birth that tells of them (number 0 before the first)."""

    number: int = 0
    devices: Mapping[str, int] = field(default_factory=dict)
    metrics: Mapping[Metric, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Declared:
    """All that a birth is made of, but for the aliases."""

    identity: Identity
    streams: Mapping[str, int]
    devices: tuple[DeviceDescription, ...] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)


def known_metrics(connection: sqlite3.Connection) -> dict[Metric, int]:
    """The metrics of the database; of two with one name the later."""
    by_name: dict[str, tuple[Metric, int]] = {}
    for alias, name, unit, type_ in connection.execute(
        "SELECT alias, name, unit, type FROM metrics ORDER BY alias"
    ):
        by_name[name] = (Metric(name, unit, MetricType(type_)), alias)
    return dict(by_name.values())


def register(
    connection: sqlite3.Connection,
    declared: Declared,
    metrics: Mapping[Metric, int],
    added: Iterable[Metric] = (),
) -> Registry:
    """Allots aliases for what has none and writes the birth of it all; the registry in force then.

    `BadInputError` when a birth cannot hold them; nothing is changed then.
    """
    in_use = {metric.name: (metric, alias) for metric, alias in metrics.items()}
    for metric in added:
        in_use[metric.name] = (metric, _metric_alias(connection, metric))
    aliases = {device.name: _device_alias(connection, device.name) for device in declared.devices}
    used = dict(in_use.values())
    cursor = connection.execute("INSERT INTO births (payload) VALUES (x'')")
    number = int(cursor.lastrowid or 0)
    payload = _encode(_birth(number, declared, aliases, used))
    connection.execute("UPDATE births SET payload = ? WHERE number = ?", (payload, number))
    return Registry(number, aliases, used)


def check_devices(devices: Sequence[DeviceDescription]) -> tuple[DeviceDescription, ...]:
    """The devices, if their names are given once each and they are not too many."""
    names = [device.name for device in devices]
    if len(set(names)) != len(names):
        raise BadInputError("device.name", "given twice", "each once")
    if len(names) > MAX_DEVICES:
        raise BadInputError("device", f"{len(names)} devices", f"at most {MAX_DEVICES}")
    return tuple(devices)


def _birth(
    number: int,
    declared: Declared,
    aliases: Mapping[str, int],
    metrics: Mapping[Metric, int],
) -> Birth:
    if len(metrics) > MAX_METRICS:
        raise BadInputError("metrics", f"{len(metrics)} names", f"at most {MAX_METRICS}")
    return Birth(
        number=number,
        node=declared.identity.node,
        boot_id=declared.identity.boot_id,
        software=declared.identity.software,
        streams=declared.streams,
        devices=tuple(
            DeviceDeclaration(aliases[d.name], d.name, d.kind, d.family, d.facts)
            for d in declared.devices
        ),
        metrics=tuple(
            MetricDeclaration(alias, m.name, m.unit, m.type) for m, alias in metrics.items()
        ),
        hashes={**declared.hashes, **declared.identity.hashes},
    )


def _encode(birth: Birth) -> bytes:
    """The payload; without the devices' facts where it would be too large with them."""
    payload = birth.encode()
    if len(payload) <= cbor.MAX_PAYLOAD:
        Birth.decode(payload)
        return payload
    bare = replace(birth, devices=tuple(replace(d, facts={}) for d in birth.devices))
    payload = bare.encode()
    if len(payload) > cbor.MAX_PAYLOAD:
        raise BadInputError(
            "birth", f"{len(payload)} bytes", f"at most {cbor.MAX_PAYLOAD}: fewer devices a node"
        )
    log.warning("the birth leaves out the devices' facts: it would be too large with them")
    Birth.decode(payload)
    return payload


def _device_alias(connection: sqlite3.Connection, name: str) -> int:
    connection.execute("INSERT INTO devices (name) VALUES (?) ON CONFLICT DO NOTHING", (name,))
    row = connection.execute("SELECT alias FROM devices WHERE name = ?", (name,)).fetchone()
    return int(row[0])


def _metric_alias(connection: sqlite3.Connection, metric: Metric) -> int:
    key = (metric.name, metric.unit, metric.type.value)
    connection.execute(
        "INSERT INTO metrics (name, unit, type) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", key
    )
    row = connection.execute(
        "SELECT alias FROM metrics WHERE name = ? AND unit = ? AND type = ?", key
    ).fetchone()
    return int(row[0])
