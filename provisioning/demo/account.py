"""What the day cost and earned, and what it would have always on. Pure; money is Decimal USD."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from provisioning.demo.day import INTERVAL_MS, MarketRow

_WH_PER_MWH = Decimal(1_000_000)
_INTERVALS_PER_DAY = Decimal(86_400_000) / INTERVAL_MS
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Earnings:
    """What a terahash per second earns a day, before the pool's fee (a share)."""

    hashprice_usd_per_th_day: Decimal
    pool_fee: Decimal


@dataclass(frozen=True, slots=True)
class Site:
    """What the site draws (W) and hashes (TH/s) when everything runs."""

    rated_power_w: Decimal
    rated_hashrate_ths: Decimal


@dataclass(frozen=True, slots=True)
class Measured:
    """What the meter counted (Wh) and the miners hashed (TH/s) by the start of each interval."""

    energy_wh: Mapping[int, Decimal]
    hashrate_ths: Mapping[int, Decimal]


@dataclass(frozen=True, slots=True)
class Account:
    """The day's figures."""

    energy_mwh: Decimal
    cost_usd: Decimal
    revenue_usd: Decimal
    always_on_cost_usd: Decimal
    always_on_revenue_usd: Decimal


def settle(
    rows: Sequence[MarketRow], measured: Measured, earnings: Earnings, site: Site
) -> Account:
    """The account of the intervals of `rows`; one that was not measured counts in no column."""
    known = [r for r in rows if r.start_ms in measured.energy_wh]
    energy_wh = [measured.energy_wh[row.start_ms] for row in known]
    hashed = [measured.hashrate_ths.get(row.start_ms, Decimal(0)) for row in known]
    per_th = earnings.hashprice_usd_per_th_day * (1 - earnings.pool_fee) / _INTERVALS_PER_DAY
    rated_wh = site.rated_power_w * INTERVAL_MS / 3_600_000
    cost = sum(
        (wh / _WH_PER_MWH * row.real_time for wh, row in zip(energy_wh, known, strict=True)),
        Decimal(0),
    )
    always_on = sum((rated_wh / _WH_PER_MWH * row.real_time for row in known), Decimal(0))
    return Account(
        energy_mwh=(sum(energy_wh, Decimal(0)) / _WH_PER_MWH).quantize(Decimal("0.0001")),
        cost_usd=cost.quantize(_CENT),
        revenue_usd=(sum(hashed, Decimal(0)) * per_th).quantize(_CENT),
        always_on_cost_usd=always_on.quantize(_CENT),
        always_on_revenue_usd=(site.rated_hashrate_ths * per_th * len(known)).quantize(_CENT),
    )


def energy_by_interval(counter_wh: Mapping[int, Decimal], end_wh: Decimal) -> dict[int, Decimal]:
    """Energy of each interval from the counter's reading at its start; the last one's ends at
    `end_wh`. An interval whose start was not read belongs to the one before it."""
    starts = sorted(counter_wh)
    ends = [*(counter_wh[start] for start in starts[1:]), end_wh]
    return {start: end - counter_wh[start] for start, end in zip(starts, ends, strict=True)}


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of all do not exceed; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1_000) * len(ordered) // 1_000) - 1)]
