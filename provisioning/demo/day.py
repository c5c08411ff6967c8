"""The day that is played: ERCOT hub prices of 8 to 9 May 2024, as committed figures."""

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files

from shared.time import to_ms

INTERVAL_MS = 15 * 60_000
START_MS = to_ms(datetime(2024, 5, 8, 12, tzinfo=UTC))
END_MS = to_ms(datetime(2024, 5, 9, 12, tzinfo=UTC))
_FIGURES = "ercot_2024-05-08.csv"


@dataclass(frozen=True, slots=True)
class MarketRow:
    """One 15-minute interval; prices in USD/MWh, demand forecast in MW."""

    start_ms: int
    real_time: Decimal
    day_ahead: Decimal
    demand_forecast_mw: Decimal
    temperature_c: Decimal


def market_rows() -> tuple[MarketRow, ...]:
    """Every interval of the figures: the day, and what the forecast looks back and ahead to."""
    text = files("provisioning.demo").joinpath(_FIGURES).read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return tuple(
        MarketRow(
            start_ms=to_ms(datetime.fromisoformat(row["interval_start_utc"])),
            real_time=Decimal(row["rt_usd_per_mwh"]),
            day_ahead=Decimal(row["da_usd_per_mwh"]),
            demand_forecast_mw=Decimal(row["da_demand_forecast_mw"]),
            temperature_c=Decimal(row["temp_c_ercot"]),
        )
        for row in csv.DictReader(lines)
    )


def played(rows: tuple[MarketRow, ...]) -> tuple[MarketRow, ...]:
    """The 96 intervals of the day itself."""
    return tuple(row for row in rows if START_MS <= row.start_ms < END_MS)
