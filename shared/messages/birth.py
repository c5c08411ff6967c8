"""`birth`: what a node's rows mean. Retained, numbered; an alias keeps its meaning in a number."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.errors import BadInputError
from shared.messages import cbor

PROTOCOL = 1
MAX_DEVICES = 5_000
MAX_METRICS = 5_000


class MetricType(StrEnum):
    """The type of a metric's values."""

    FLOAT = "float"
    INT = "int"
    TEXT = "text"
    BOOL = "bool"


@dataclass(frozen=True, slots=True)
class MetricDeclaration:
    """One metric: the alias that rows use, its name, unit ("" where it has none) and type."""

    alias: int
    name: str
    unit: str
    type: MetricType


@dataclass(frozen=True, slots=True)
class DeviceDeclaration:
    """One device: the alias that rows use, its name on the node, kind and driver family.

    `kind` is "miner", "meter", "switch" or "sensor"; `facts` holds what the device said of itself
    (model, firmware, serial ...) and what its configuration says (`rated_power_w` ...), as text.
    """

    alias: int
    name: str
    kind: str
    family: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Birth:
    """What a node is and what its aliases mean, under a number that batches name.

    `streams` maps "telemetry" and "event" to the stream's random 64-bit id (as int64 >= 0);
    `hashes` maps the names of models and policies in force to their SHA-256 in hex.
    """

    number: int
    node: str
    boot_id: str
    software: str
    streams: Mapping[str, int]
    devices: tuple[DeviceDeclaration, ...]
    metrics: tuple[MetricDeclaration, ...]
    hashes: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The payload."""
        return cbor.encode(
            {
                "boot_id": self.boot_id,
                "devices": [
                    [d.alias, d.name, d.kind, d.family, dict(d.facts)] for d in self.devices
                ],
                "hashes": dict(self.hashes),
                "metrics": [[m.alias, m.name, m.unit, m.type.value] for m in self.metrics],
                "node": self.node,
                "number": self.number,
                "protocol": PROTOCOL,
                "software": self.software,
                "streams": dict(self.streams),
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> "Birth":
        """Reads a payload; `BadInputError` when it is not a birth of this protocol."""
        fields = cbor.expect_map(cbor.decode(payload), "birth")
        cbor.expect_int(cbor.take(fields, "protocol"), "protocol", PROTOCOL, PROTOCOL)
        streams = cbor.expect_map(cbor.take(fields, "streams"), "streams")
        if set(streams) != {"telemetry", "event"}:
            raise BadInputError("streams", str(sorted(streams))[:80], "telemetry and event")
        birth = cls(
            number=cbor.expect_int(cbor.take(fields, "number"), "number", 1),
            node=cbor.expect_text(cbor.take(fields, "node"), "node", 63),
            boot_id=cbor.expect_text(cbor.take(fields, "boot_id"), "boot_id", 64),
            software=cbor.expect_text(cbor.take(fields, "software"), "software"),
            streams={k: cbor.expect_int(v, f"streams.{k}") for k, v in streams.items()},
            devices=tuple(
                _device(row)
                for row in cbor.expect_list(cbor.take(fields, "devices"), "devices", MAX_DEVICES)
            ),
            metrics=tuple(
                _metric(row)
                for row in cbor.expect_list(cbor.take(fields, "metrics"), "metrics", MAX_METRICS)
            ),
            hashes=_texts(cbor.take(fields, "hashes"), "hashes"),
        )
        _refuse_repeats("devices.alias", [d.alias for d in birth.devices])
        _refuse_repeats("devices.name", [d.name for d in birth.devices])
        _refuse_repeats("metrics.alias", [m.alias for m in birth.metrics])
        _refuse_repeats("metrics.name", [m.name for m in birth.metrics])
        return birth


def _device(row: object) -> DeviceDeclaration:
    alias, name, kind, family, facts = _row(row, "devices", 5)
    return DeviceDeclaration(
        alias=cbor.expect_int(alias, "devices.alias"),
        name=cbor.expect_text(name, "devices.name", 63),
        kind=cbor.expect_text(kind, "devices.kind", 20),
        family=cbor.expect_text(family, "devices.family", 40),
        facts=_texts(facts, "devices.facts"),
    )


def _metric(row: object) -> MetricDeclaration:
    alias, name, unit, type_ = _row(row, "metrics", 4)
    try:
        metric_type = MetricType(type_)
    except ValueError as error:
        raise BadInputError("metrics.type", repr(type_)[:40], ", ".join(MetricType)) from error
    if not isinstance(unit, str) or len(unit) > 20:
        raise BadInputError("metrics.unit", repr(unit)[:40], "text of at most 20 characters")
    return MetricDeclaration(
        alias=cbor.expect_int(alias, "metrics.alias"),
        name=cbor.expect_text(name, "metrics.name", 80),
        unit=unit,
        type=metric_type,
    )


def _row(row: object, field_name: str, length: int) -> list[Any]:
    items = cbor.expect_list(row, field_name, length)
    if len(items) != length:
        raise BadInputError(field_name, f"a row of {len(items)}", f"rows of {length}")
    return items


def _texts(value: object, field_name: str) -> Mapping[str, str]:
    texts = cbor.expect_map(value, field_name)
    if len(texts) > 100 or not all(isinstance(v, str) and len(v) <= 500 for v in texts.values()):
        raise BadInputError(field_name, "not a map of short texts", "at most 100 short texts")
    return texts


def _refuse_repeats(field_name: str, values: list[Any]) -> None:
    if len(set(values)) != len(values):
        raise BadInputError(field_name, "given twice", "each once")
