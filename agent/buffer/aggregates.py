"""Rows as a gap report that fits an event. Pure.

Finer is better and more metrics are better, but the report must be small enough to travel and must
free more than it takes. So wider buckets are tried, then fewer metrics, each on as many of the
leading rows as fit. (Many devices share every range of rows: with a thousand of them a report
cannot hold all metrics of each, however wide its buckets.)
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.errors import BadInputError
from shared.messages.birth import Birth
from shared.messages.event import Event, EventKind, Severity
from shared.messages.gap import MAX_BUCKETS, Aggregate, Bucket, Gap
from shared.messages.telemetry import TelemetryRow, decode_body

WIDTHS_MS = (60_000, 300_000, 900_000, 3_600_000, 21_600_000, 86_400_000)

_MOST_IMPORTANT = (
    "power_w",
    "miner_power_w",
    "hashrate_ths",
    "energy_import_wh",
    "temperature_c",
    "energy_export_wh",
    "power_limit_w",
    "inlet_temperature_c",
    "humidity_pct",
    "average_hashrate_ths",
)
_KEPT = (None, 10, 6, 4, 2, 1)
_ROW_COST = 24
"""About what SQLite takes for a row beside its body, with its index entry."""

# What a report takes at most, in CBOR: an aggregate is a small map key, an array head, a count of
# up to 5 bytes and three doubles of 9; a bucket two integers, an array head and a map head.
_METRIC_COST = 38
_BUCKET_COST = 22
_FRAME_COST = 300
_SLACKS = (1.3, 1.0)
"""Numbers are mostly shorter than at worst; if they are not after all, the estimate is strict."""


@dataclass(frozen=True, slots=True)
class ReportLimits:
    """`most_bytes` of an encoded event; `enough_gain` is bytes freed per byte taken to settle for.

    What a report takes is estimated from above. Below `least_gain` it is not worth it. With fewer
    than `rows_a_bucket` it would leave out metrics rather than aggregate: the last resort.
    """

    most_bytes: int = 190 * 1024
    finest_ms: int = WIDTHS_MS[0]
    enough_gain: float = 1.4
    least_gain: float = 1.2
    rows_a_bucket: float = 2.0


@dataclass(frozen=True, slots=True)
class Report:
    """A gap, the body of its event and how many rows it replaces."""

    gap: Gap
    body: bytes
    rows: int


def report_on(
    stream: int, birth: Birth, rows: Sequence[TelemetryRow], limits: ReportLimits
) -> Report | None:
    """The best report on as many as possible of the leading rows; None when none is worth it.

    The rows are an unbroken run of one birth.
    """
    numbers = _Numbers(rows)
    names = {metric.alias: metric.name for metric in birth.metrics}
    for slack in _SLACKS:
        draft = _search(numbers, names, limits, int(limits.most_bytes * slack))
        if draft is None:
            return None
        gap = _gap(stream, birth.number, rows, draft)
        try:
            body = Event(EventKind.GAP, Severity.WARNING, gap.to_data()).encode()
        except BadInputError:  # larger than any event may be: the estimate had too much slack
            continue
        if len(body) <= limits.most_bytes:
            return Report(gap, body, draft.rows)
    return None


def _search(
    numbers: "_Numbers", names: Mapping[int, str], limits: ReportLimits, most_bytes: int
) -> "_Draft | None":
    """The first option that gains enough by aggregating; else the one that gains most."""
    best: _Draft | None = None
    for kept in _kept_metrics(names):
        for width_ms in WIDTHS_MS:
            if width_ms < limits.finest_ms:
                continue
            draft = _draft(numbers, kept, width_ms, most_bytes)
            enough = limits.rows_a_bucket * len(draft.found)
            if draft.gain >= limits.enough_gain and draft.rows >= enough:
                return draft
            if best is None or draft.gain > best.gain:
                best = draft
    if best is None or best.rows == 0 or best.gain < limits.least_gain:
        return None
    return best


def numeric(row: TelemetryRow) -> dict[int, float]:
    """The finite numbers of a row by alias. A body that cannot be read any more has none."""
    try:
        values = decode_body(row.body)
    except BadInputError:
        return {}
    return {
        alias: float(value)
        for alias, value in values.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    }


class _Numbers:
    """Rows with their numbers, each decoded once and only when it is come to."""

    def __init__(self, rows: Sequence[TelemetryRow]) -> None:
        self._rows = rows
        self._decoded: list[dict[int, float]] = []

    def __iter__(self) -> Iterator[tuple[TelemetryRow, Mapping[int, float]]]:
        for index, row in enumerate(self._rows):
            if index == len(self._decoded):
                self._decoded.append(numeric(row))
            yield row, self._decoded[index]


@dataclass(frozen=True, slots=True)
class _Draft:
    """Buckets of the leading `rows`; `gain` is estimated from above for what they take."""

    rows: int
    width_ms: int
    gain: float
    found: Mapping[tuple[int, int], Mapping[int, list[float]]]

    def buckets(self) -> tuple[Bucket, ...]:
        """In order of device and time; a device without any number has none."""
        return tuple(
            Bucket(
                device,
                start_ms,
                {alias: Aggregate(int(c), low, high, t) for alias, (c, low, high, t) in m.items()},
            )
            for (device, start_ms), m in sorted(self.found.items())
            if m
        )


def _draft(
    numbers: "_Numbers", kept: frozenset[int] | None, width_ms: int, most_bytes: int
) -> _Draft:
    """Adds row after row to buckets aligned to the epoch, until the next might not fit."""
    found: dict[tuple[int, int], dict[int, list[float]]] = {}
    used, freed, count = _FRAME_COST, 0, 0
    for row, values in numbers:
        key = (row.device, row.time_ms - row.time_ms % width_ms)
        bucket = found.get(key, {})
        used_values = values if kept is None else {a: v for a, v in values.items() if a in kept}
        fresh = sum(alias not in bucket for alias in used_values)
        cost = fresh * _METRIC_COST + (0 if bucket else _BUCKET_COST)
        if used + cost > most_bytes or len(found) >= MAX_BUCKETS:
            break
        found[key] = bucket
        for alias, value in used_values.items():
            _add(bucket, alias, value)
        used += cost
        freed += len(row.body) + _ROW_COST
        count += 1
    return _Draft(count, width_ms, freed / used, found)


def _add(bucket: dict[int, list[float]], alias: int, value: float) -> None:
    """Count, minimum, maximum and sum; a list, because this runs for every value."""
    so_far = bucket.get(alias)
    if so_far is None:
        bucket[alias] = [1, value, value, value]
        return
    so_far[0] += 1
    so_far[1] = min(so_far[1], value)
    so_far[2] = max(so_far[2], value)
    so_far[3] += value


def _gap(stream: int, birth: int, rows: Sequence[TelemetryRow], draft: _Draft) -> Gap:
    replaced = rows[: draft.rows]
    return Gap(
        stream=stream,
        birth=birth,
        first=replaced[0].seq,
        last=replaced[-1].seq,
        from_ms=min(row.time_ms for row in replaced),
        to_ms=max(row.time_ms for row in replaced),
        reason="disk budget",
        width_ms=draft.width_ms,
        buckets=draft.buckets(),
    )


def _kept_metrics(names: Mapping[int, str]) -> Iterator[frozenset[int] | None]:
    """All metrics (None), then ever fewer, the most important ones."""
    ranks = {name: rank for rank, name in enumerate(_MOST_IMPORTANT)}
    ranked = sorted((ranks[name], alias) for alias, name in names.items() if name in ranks)
    for most in _KEPT:
        yield None if most is None else frozenset(alias for _, alias in ranked[:most])
