"""The day that the demonstration plays is the recorded one."""

import csv
import gzip
from decimal import Decimal
from pathlib import Path

from provisioning.demo.day import END_MS, INTERVAL_MS, START_MS, market_rows, played
from shared.time import from_ms


def test_the_day_has_96_intervals_and_the_recorded_peak() -> None:
    rows = played(market_rows())
    assert [row.start_ms for row in rows] == list(range(START_MS, END_MS, INTERVAL_MS))
    peak = max(rows, key=lambda row: row.real_time)
    assert peak.real_time == Decimal("4964.84")
    assert from_ms(peak.start_ms).isoformat() == "2024-05-09T01:00:00+00:00"


def test_the_committed_figures_are_those_of_the_market(shared_data: Path) -> None:
    source = shared_data / "energy" / "ercot_hub_15min_2024-01_2025-06.csv.gz"
    with gzip.open(source, "rt") as file:
        recorded = {row["interval_start_utc"]: row for row in csv.DictReader(file)}
    for row in market_rows():
        original = recorded[from_ms(row.start_ms).strftime("%Y-%m-%d %H:%M:%S+00:00")]
        assert row.real_time == Decimal(original["rt_usd_per_mwh"])
        assert row.day_ahead == Decimal(original["da_usd_per_mwh"])
        assert row.demand_forecast_mw == Decimal(original["da_demand_forecast_mw"])
        assert row.temperature_c == Decimal(original["temp_c_ercot"])
