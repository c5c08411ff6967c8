"""What looking ahead is worth: a site of 24 miners replayed over January to June 2025.

`python -m tests.bench.money [--data FILE] [--json FILE]` runs the agent's own curtailment on
ERCOT's real-time prices with the last known price, with the shipped model's forecast, with a
forecast that is right, and beside them always-on and the best that anyone could have earned; then
with a feed that already gives the price of the running interval. Restart costs are counted.
Hashprice, fleet and restart cost are assumptions, stated in `Assumptions`.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from agent.inference.loader import shipped_folder
from agent.inference.price import load_price_forecaster
from agent.site.curtailment import decide
from agent.site.situation import (
    MICRO,
    Earnings,
    Limits,
    MinerState,
    Price,
    Profile,
    RunPoint,
    Situation,
    to_micro,
)
from models.price.dataset import day_ms, read_history
from models.price.recipe import TEST_UNTIL, TRAIN_UNTIL
from shared.price.features import HORIZONS
from shared.price.forecast import Forecast, HorizonForecast, NoForecast, NoForecastReason
from shared.price.market import INTERVAL_MS, KnownMarket, MarketHistory
from shared.setpoints import Run, Setpoint, Stop
from tests.bench.market_data import DATA, absent
from tests.bench.report import Case, beside, show, write

ForecastOf = Callable[[int], Forecast | NoForecast]
_PICO = 10**12
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class MinerModel:
    """A kind of miner: wall power and hashrate at its one operating point."""

    name: str
    power_w: int
    hashrate_ghs: int


FLEET = (
    MinerModel("S19j Pro, 30.5 J/TH", 3050, 100_000),
    MinerModel("M50, 29.0 J/TH", 3306, 114_000),
    MinerModel("S19 XP, 21.3 J/TH", 3010, 141_000),
    MinerModel("S21, 17.5 J/TH", 3500, 200_000),
)


@dataclass(frozen=True, slots=True)
class Assumptions:
    """The site: six of each model; energy at the real-time price, no other costs.

    The hashprice is fixed, for no series of it lies beside the data. A restart costs 0.10 USD a
    miner, what the best one makes in about 13 minutes. Both can be set on the command line.
    """

    fleet: tuple[MinerModel, ...] = FLEET
    miners_a_model: int = 6
    earnings: Earnings = field(default_factory=lambda: Earnings(Decimal("0.055"), Decimal("0.01")))
    limits: Limits = field(
        default_factory=lambda: Limits(
            min_on_ms=2 * INTERVAL_MS,
            min_off_ms=2 * INTERVAL_MS,
            restart_cost_usd=Decimal("0.10"),
        )
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """Six months of a site; the revenue is after the pool's fee."""

    revenue_usd: Decimal
    energy_usd: Decimal
    restarts: int
    restart_usd: Decimal
    miner_hours_off: Decimal

    @property
    def earned_usd(self) -> Decimal:
        """What is left after energy and restarts."""
        return self.revenue_usd - self.energy_usd - self.restart_usd


@dataclass(frozen=True, slots=True)
class Market:
    """The real-time prices of the replayed span, micro-USD per MWh, and all that was published."""

    history: MarketHistory
    first_ms: int
    prices_uusd: tuple[int, ...]

    def starts(self) -> Iterator[tuple[int, int]]:
        """Start and price of each interval."""
        for number, price in enumerate(self.prices_uusd):
            yield self.first_ms + number * INTERVAL_MS, price


def market(history: MarketHistory, first_ms: int, end_ms: int) -> Market:
    """The span's prices; `MissingInputError` when one is unknown."""
    known = KnownMarket(history, end_ms)
    return Market(
        history,
        first_ms,
        tuple(
            to_micro(Decimal(repr(known.real_time(start))), "price")
            for start in range(first_ms, end_ms, INTERVAL_MS)
        ),
    )


def replay(
    site: Assumptions, span: Market, forecast_of: ForecastOf, *, running_known: bool = False
) -> Outcome:
    """The agent's decision at the start of each interval; the miners follow at once.

    At a start the price of the interval before is the last known one; with `running_known` the feed
    already gives the price of the interval that starts.
    """
    miners = _miners(site)
    before = KnownMarket(span.history, span.first_ms)
    last_uusd = to_micro(Decimal(repr(before.real_time(span.first_ms - INTERVAL_MS))), "price")
    tally = _Tally(site)
    for start_ms, price_uusd in span.starts():
        known_ms, known_uusd = start_ms - INTERVAL_MS, last_uusd
        if running_known:
            known_ms, known_uusd = start_ms, price_uusd
        known = Price(known_ms, known_ms + INTERVAL_MS, Decimal(known_uusd) / MICRO)
        situation = Situation(miners, known, forecast_of(start_ms), site.earnings, site.limits)
        changes = {a.miner: a.setpoint for a in decide(situation, start_ms).changes}
        miners = tuple(_follow(m, changes.get(m.name), start_ms) for m in miners)
        tally.add(miners, changes, price_uusd)
        last_uusd = price_uusd
    return tally.outcome()


def always_on(site: Assumptions, span: Market) -> Outcome:
    """Nobody decides."""
    tally = _Tally(site)
    miners = _miners(site)
    for _, price_uusd in span.starts():
        tally.add(miners, {}, price_uusd)
    return tally.outcome()


def best_possible_usd(site: Assumptions, span: Market) -> Decimal:
    """What a site that knew all prices would have earned: dynamic programming over on and off.

    The miners are independent of each other, so one of each model is enough. Minimum times and
    restart costs hold as in the replay.
    """
    total = sum(_best_of(site, model, span) * site.miners_a_model for model in site.fleet)
    return Decimal(total) / _PICO


def _best_of(site: Assumptions, model: MinerModel, span: Market) -> int:
    revenue = _revenue_pico(site, model)
    restart = int(site.limits.restart_cost_usd * _PICO)
    on_steps = max(1, site.limits.min_on_ms // INTERVAL_MS)
    off_steps = max(1, site.limits.min_off_ms // INTERVAL_MS)
    never = -(10**30)
    # on[k] and off[k]: the best so far of being on or off for k + 1 intervals (the last: or more).
    on = [never] * (on_steps - 1) + [0]
    off = [never] * off_steps
    for price_uusd in span.prices_uusd:
        margin = revenue - _energy_pico(model.power_w, price_uusd)
        may_start, may_stop = off[-1], on[-1]
        started, stopped = may_start - restart + margin, may_stop
        on = _aged([value + margin for value in on], started)
        off = _aged(off, stopped)
    return max(*on, *off)


def _aged(values: list[int], entered: int) -> list[int]:
    """One interval later: everything a step older, the oldest two together, the new in front."""
    aged = [entered, *values]
    return [*aged[:-2], max(aged[-2:])] if len(values) > 1 else [max(aged)]


class _Tally:
    """Adds up in integer pico-USD."""

    def __init__(self, site: Assumptions) -> None:
        self._site = site
        self._models = {m.name: model for m, model in _named(site)}
        self._revenue = 0
        self._energy = 0
        self._restarts = 0
        self._off_intervals = 0

    def add(
        self,
        miners: Sequence[MinerState],
        changes: dict[str, Setpoint | None],
        price_uusd: int,
    ) -> None:
        """One interval in the given state, which `changes` led to."""
        for miner in miners:
            model = self._models[miner.name]
            if isinstance(miner.current, Stop):
                self._off_intervals += 1
                continue
            self._revenue += _revenue_pico(self._site, model)
            self._energy += _energy_pico(model.power_w, price_uusd)
        self._restarts += sum(isinstance(setpoint, Run) for setpoint in changes.values())

    def outcome(self) -> Outcome:
        """The sums in USD."""
        return Outcome(
            Decimal(self._revenue) / _PICO,
            Decimal(self._energy) / _PICO,
            self._restarts,
            self._restarts * self._site.limits.restart_cost_usd,
            Decimal(self._off_intervals) * INTERVAL_MS / _HOUR_MS,
        )


def _revenue_pico(site: Assumptions, model: MinerModel) -> int:
    """Pico-USD an interval, after the pool's fee."""
    usd_a_day = model.hashrate_ghs * site.earnings.hashprice_usd_per_th_day / 1000
    return int(usd_a_day * (1 - site.earnings.pool_fee) * _PICO * INTERVAL_MS / (24 * _HOUR_MS))


def _energy_pico(power_w: int, price_uusd: int) -> int:
    """Pico-USD an interval: micro-USD per MWh times watts is pico-USD per hour."""
    return price_uusd * power_w * INTERVAL_MS // _HOUR_MS


def _named(site: Assumptions) -> Iterator[tuple[MinerState, MinerModel]]:
    for model in site.fleet:
        profile = Profile((RunPoint(Run(), model.power_w, model.hashrate_ghs),))
        for number in range(site.miners_a_model):
            yield MinerState(f"{model.name} #{number + 1}", profile, Run()), model


def _miners(site: Assumptions) -> tuple[MinerState, ...]:
    return tuple(miner for miner, _ in _named(site))


def _follow(miner: MinerState, setpoint: Setpoint | None, now_ms: int) -> MinerState:
    if setpoint is None:
        return miner
    return replace(miner, current=setpoint, since_ms=now_ms)


def without_forecast(_now_ms: int) -> NoForecast:
    """The agent without a model: the last known price decides."""
    return NoForecast(NoForecastReason.NO_MODEL)


def foresight(span: Market) -> ForecastOf:
    """A forecast whose only quantile is the price that came, as far as the data reach."""

    def forecast_of(now_ms: int) -> Forecast:
        first = (now_ms - span.first_ms) // INTERVAL_MS
        coming = span.prices_uusd[first : first + HORIZONS]
        return Forecast(
            now_ms,
            tuple(
                HorizonForecast(
                    now_ms + number * INTERVAL_MS,
                    now_ms + (number + 1) * INTERVAL_MS,
                    {0.5: price_uusd / MICRO},
                )
                for number, price_uusd in enumerate(coming)
            ),
        )

    return forecast_of


def day_ahead_forecast(span: Market) -> ForecastOf:
    """The day-ahead price taken as the forecast: what a site has without any model."""

    def forecast_of(now_ms: int) -> Forecast:
        known = KnownMarket(span.history, now_ms)
        starts = [now_ms + number * INTERVAL_MS for number in range(HORIZONS)]
        return Forecast(
            now_ms,
            tuple(
                HorizonForecast(start, start + INTERVAL_MS, {0.5: known.day_ahead(start)})
                for start in starts
                if start in span.history.intervals
            ),
        )

    return forecast_of


def cases(site: Assumptions, span: Market) -> list[Case]:
    """Earnings beside always-on, and what each way of deciding did."""
    forecaster = load_price_forecaster(shipped_folder("price"))

    def with_model(now_ms: int) -> Forecast | NoForecast:
        return forecaster.forecast(span.history, now_ms)

    outcomes = {
        "last known price": replay(site, span, without_forecast),
        "day-ahead price": replay(site, span, day_ahead_forecast(span)),
        "model": replay(site, span, with_model),
        "two hours of foresight": replay(site, span, foresight(span)),
        "running price": replay(site, span, without_forecast, running_known=True),
        "running price and model": replay(site, span, with_model, running_known=True),
    }
    base = float(always_on(site, span).earned_usd)
    found = [Case("earned, always on", base, "USD")]
    for name, outcome in outcomes.items():
        found.append(beside(f"earned, {name}", float(outcome.earned_usd), "USD", base))
        found.append(Case(f"restarts, {name}", outcome.restarts, "miner restarts"))
        found.append(Case(f"hours off, {name}", float(outcome.miner_hours_off), "miner hours"))
    best = float(best_possible_usd(site, span))
    found.append(beside("earned, all prices known", best, "USD", base))
    for without, with_it in (
        ("last known price", "model"),
        ("running price", "running price and model"),
    ):
        gain = outcomes[with_it].earned_usd - outcomes[without].earned_usd
        found.append(Case(f"{with_it} over {without}", float(gain), "USD"))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 2 without data."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.money", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="gzipped CSV of 15-minute rows")
    parser.add_argument("--json", type=Path, help="where to write the report")
    parser.add_argument("--hashprice", type=Decimal, default=Decimal("0.055"), help="USD/TH/day")
    parser.add_argument("--restart-cost", type=Decimal, default=Decimal("0.10"), help="USD")
    options = parser.parse_args(arguments)
    if problem := absent(options.data):
        print(problem, file=sys.stderr)
        return 2
    site = Assumptions()
    site = replace(
        site,
        earnings=replace(site.earnings, hashprice_usd_per_th_day=options.hashprice),
        limits=replace(site.limits, restart_cost_usd=options.restart_cost),
    )
    span = market(read_history(options.data), day_ms(TRAIN_UNTIL), day_ms(TEST_UNTIL))
    found = cases(site, span)
    print(f"hashprice {options.hashprice} USD/TH/day, restart {options.restart_cost} USD a miner")
    print(show(found))
    if options.json:
        write(options.json, "money", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
