"""Rows as a gap report that fits an event."""

import pytest

from agent.buffer.aggregates import ReportLimits, numeric, report_on
from agent.buffer.thinning import choose_run, finest_width_ms
from shared.measured import Reason, Scalar, Unknown
from shared.messages.birth import Birth, MetricDeclaration, MetricType
from shared.messages.event import Event, EventKind
from shared.messages.gap import Aggregate, Bucket, Gap
from shared.messages.telemetry import TelemetryRow, encode_body
from tests.agents import NOON_MS

MINUTE_MS = 60_000
NAMES = ("power_w", "hashrate_ths", *[f"board.{n}.temperature_c" for n in range(30)])
START_MS = NOON_MS - NOON_MS % MINUTE_MS


def _birth(names: tuple[str, ...] = NAMES) -> Birth:
    metrics = tuple(MetricDeclaration(n + 1, m, "", MetricType.FLOAT) for n, m in enumerate(names))
    return Birth(7, "n", "b", "s", {"telemetry": 1, "event": 2}, (), metrics)


def _row(seq: int, time_ms: int, device: int, values: dict[int, Scalar | Unknown]) -> TelemetryRow:
    return TelemetryRow(seq, time_ms, device, encode_body(values))


def _full(devices: int, polls: int, every_ms: int = 10_000) -> list[TelemetryRow]:
    values: dict[int, Scalar | Unknown] = {alias + 1: 1234.567 + alias for alias in range(32)}
    return [
        _row(1 + poll * devices + device, START_MS + poll * every_ms, device, values)
        for poll in range(polls)
        for device in range(devices)
    ]


def test_minutes_of_each_device_are_aggregated_apart() -> None:
    rows = [
        _row(10, START_MS, 1, {1: 100.0, 2: 5}),
        _row(11, START_MS + 59_999, 1, {1: 300.0, 2: Unknown(Reason.TIMEOUT)}),
        _row(12, START_MS + MINUTE_MS, 1, {1: 50.0}),
        _row(13, START_MS + 30_000, 2, {1: -1.5}),
    ]
    limits = ReportLimits(enough_gain=0.0, least_gain=0.0, rows_a_bucket=0.0)
    report = report_on(99, _birth(), rows, limits)
    assert report is not None
    assert report.rows == 4
    assert report.gap == Gap(
        stream=99,
        birth=7,
        first=10,
        last=13,
        from_ms=START_MS,
        to_ms=START_MS + MINUTE_MS,
        reason="disk budget",
        width_ms=MINUTE_MS,
        buckets=(
            Bucket(1, START_MS, {1: Aggregate(2, 100.0, 300.0, 400.0), 2: Aggregate(1, 5, 5, 5)}),
            Bucket(1, START_MS + MINUTE_MS, {1: Aggregate(1, 50.0, 50.0, 50.0)}),
            Bucket(2, START_MS, {1: Aggregate(1, -1.5, -1.5, -1.5)}),
        ),
    )
    event = Event.decode(report.body)
    assert event.kind is EventKind.GAP
    assert Gap.from_data(event.data) == report.gap


def test_only_known_numbers_count() -> None:
    values: dict[int, Scalar | Unknown] = {
        1: 5,
        2: "text",
        3: True,
        4: Unknown(Reason.STALE),
        5: 0.0,
    }
    assert numeric(_row(1, 0, 1, values)) == {1: 5.0, 5: 0.0}
    assert numeric(TelemetryRow(1, 0, 1, b"\xff damaged")) == {}


def test_a_small_site_keeps_minutes_and_all_metrics() -> None:
    report = report_on(99, _birth(), _full(devices=24, polls=120), ReportLimits())
    assert report is not None
    assert report.gap.width_ms == MINUTE_MS
    assert {len(bucket.metrics) for bucket in report.gap.buckets} == {32}
    assert report.rows >= 24 * 6 * 3


def test_a_report_always_fits_and_frees_more_than_it_takes() -> None:
    for devices, polls in ((1, 5_000), (24, 120), (300, 20), (1_000, 6)):
        rows = _full(devices, polls)
        limits = ReportLimits()
        report = report_on(99, _birth(), rows, limits)
        assert report is not None
        assert len(report.body) <= limits.most_bytes
        freed = sum(len(row.body) for row in rows[: report.rows])
        assert freed > 1.2 * len(report.body)
        assert [report.gap.first, report.gap.last] == [1, report.rows]


def test_slow_polls_need_wider_buckets() -> None:
    report = report_on(99, _birth(), _full(24, 200, every_ms=60_000), ReportLimits())
    assert report is not None
    assert report.gap.width_ms > MINUTE_MS


def test_many_devices_keep_the_most_important_metrics() -> None:
    report = report_on(99, _birth(), _full(devices=1_000, polls=6), ReportLimits())
    assert report is not None
    assert {frozenset(bucket.metrics) for bucket in report.gap.buckets} == {frozenset({1, 2})}
    assert report.rows == 6_000


def test_rows_that_a_report_would_not_shrink_are_left_alone() -> None:
    assert report_on(99, _birth(), _full(devices=1, polls=1), ReportLimits()) is None
    assert report_on(99, _birth(), [], ReportLimits()) is None


@pytest.mark.parametrize(
    ("taken", "width_ms"),
    [(0, 60_000), (24, 60_000), (25, 900_000), (60, 3_600_000), (80, 86_400_000)],
)
def test_reports_grow_coarser_as_they_take_the_budget(taken: int, width_ms: int) -> None:
    assert finest_width_ms(taken, 100) == width_ms


def _seqs(*spans: tuple[int, int, int]) -> list[tuple[int, int]]:
    return [(seq, birth) for first, last, birth in spans for seq in range(first, last + 1)]


def test_the_oldest_run_that_is_long_enough_is_thinned() -> None:
    assert choose_run([]) is None
    assert choose_run(_seqs((5, 5, 1))) == (5, 5)
    assert choose_run(_seqs((1, 3, 1), (5, 300, 1), (302, 900, 1))) == (5, 300)
    assert choose_run(_seqs((1, 250, 1), (251, 900, 2))) == (1, 250), "one birth"


def test_of_short_runs_the_longest_is_thinned() -> None:
    alternate = [(seq, 1) for seq in range(1, 5_000, 2)]
    assert choose_run([*alternate, *_seqs((6_000, 6_050, 1)), (6_060, 1)]) == (6_000, 6_050)
