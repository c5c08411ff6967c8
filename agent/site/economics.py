"""What hashing is worth: rungs of a miner's operating points, each with the price it bears.

All integers. Revenue is in pico-USD per hour, for a price in micro-USD per MWh times watts is just
that; values over time carry milliseconds instead of hours (pico-USD times ms per hour).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import accumulate, pairwise

from agent.site.situation import Basis, Earnings, Limits, Price, Profile, RunPoint, to_micro
from shared.price.forecast import Forecast, HorizonForecast, NoForecast
from shared.setpoints import Setpoint

_HOUR_MS = 3_600_000
_PICO = 10**12


@dataclass(frozen=True, slots=True)
class Rung:
    """One step up: `power_w` more than the rung below, ending at `setpoint` with `total_w`.

    `breakeven` and `threshold` are in micro-USD per MWh; thresholds fall from rung to rung.
    """

    setpoint: Setpoint
    power_w: int
    total_w: int
    breakeven: int
    threshold: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """Prices from now on, micro-USD per MWh: the running interval's, then (price, ms) of each next.

    `span_ms` is what the price compared now stands for. `later` is empty without a forecast: then
    that price itself is taken to last for `tail_ms`, as the last of `later` is with one.
    """

    basis: Basis
    detail: str
    price: int
    span_ms: int
    later: tuple[tuple[int, int], ...]
    tail_ms: int


def expected_price(horizon: HorizonForecast) -> int:
    """The mean price that quantiles imply, micro-USD per MWh.

    Linear between the levels; beyond the outermost the price is held, so that the mean invents no
    tail that the model did not state.
    """
    levels = list(horizon.quantiles.items())
    mean = levels[0][0] * levels[0][1] + (1 - levels[-1][0]) * levels[-1][1]
    for (low, low_price), (high, high_price) in pairwise(levels):
        mean += (high - low) * (low_price + high_price) / 2
    return to_micro(Decimal(repr(mean)), "forecast")


def outlook(price: Price, forecast: Forecast | NoForecast, tail_ms: int, now_ms: int) -> Outlook:
    """What is known of the prices from `now_ms` on."""
    last = to_micro(price.usd_per_mwh, "price")
    known_now = price.start_ms <= now_ms < price.end_ms
    if isinstance(forecast, NoForecast):
        detail = f"{forecast.reason.value}: {forecast.detail}".removesuffix(": ")
        return _persistence(price, detail, tail_ms)
    begins_ms = price.end_ms if known_now else now_ms
    ahead = [h for h in forecast.horizons if h.end_ms > begins_ms]
    if not ahead or ahead[0].start_ms > begins_ms:
        return _persistence(price, "the forecast does not reach the present interval", tail_ms)
    priced = [(expected_price(h), h.end_ms - max(h.start_ms, begins_ms)) for h in ahead]
    if known_now:
        span_ms = price.end_ms - now_ms
        return Outlook(Basis.KNOWN_AND_FORECAST, "", last, span_ms, tuple(priced), tail_ms)
    current, span_ms = priced[0]
    return Outlook(Basis.FORECAST, "", current, span_ms, tuple(priced[1:]), tail_ms)


def _persistence(price: Price, detail: str, tail_ms: int) -> Outlook:
    last = to_micro(price.usd_per_mwh, "price")
    return Outlook(Basis.LAST_PRICE, detail, last, price.end_ms - price.start_ms, (), tail_ms)


def rungs(
    profile: Profile, earnings: Earnings, limits: Limits, ahead: Outlook | None, *, running: bool
) -> tuple[Rung, ...]:
    """A miner's steps, most efficient first; without an outlook the threshold is the breakeven.

    Points that no price would choose (another gives more for less a watt) are left out. Where a
    stopped miner must pay for its restart, the first steps are merged into the jump that pays best.
    """
    points = _hull(profile)
    if not points:
        return ()
    below = [profile.idle_power_w, *(p.power_w for p in points[:-1])]
    powers = [p.power_w - under for p, under in zip(points, below, strict=True)]
    revenues = _revenues(points, earnings)
    steps = [
        Rung(p.setpoint, power, p.power_w, revenue // power, revenue // power)
        for p, power, revenue in zip(points, powers, revenues, strict=True)
    ]
    if ahead is None:
        return tuple(steps)
    extra, span_ms = _switch_value(powers, revenues, limits, ahead, running=running)
    if running:
        threshold = (revenues[0] * span_ms + extra) // (powers[0] * span_ms)
        return (replace(steps[0], threshold=threshold), *steps[1:])
    return _best_start(steps, revenues, extra, span_ms)


def _best_start(
    steps: Sequence[Rung], revenues: Sequence[int], extra: int, span_ms: int
) -> tuple[Rung, ...]:
    """The first steps merged into the jump from standstill that bears the highest price."""
    jumps: list[Rung] = []
    for step, revenue in zip(steps, accumulate(revenues), strict=True):
        power = step.total_w - steps[0].total_w + steps[0].power_w
        threshold = (revenue * span_ms + extra) // (power * span_ms)
        jumps.append(Rung(step.setpoint, power, step.total_w, revenue // power, threshold))
    best = max(range(len(jumps)), key=lambda index: jumps[index].threshold)
    # Rounding may leave a later step one millionth above the jump it follows.
    start = jumps[best]
    return (
        start,
        *(replace(s, threshold=min(s.threshold, start.threshold)) for s in steps[best + 1 :]),
    )


def _hull(profile: Profile) -> list[RunPoint]:
    """The upper concave hull of hashrate over power, from standing idle to the highest hashrate."""
    hull: list[RunPoint] = []
    for point in sorted(profile.points, key=lambda p: (p.power_w, -p.hashrate_ghs)):
        if point.power_w <= profile.idle_power_w:
            continue
        if hull and point.hashrate_ghs <= hull[-1].hashrate_ghs:
            continue
        while hull and _not_above(profile.idle_power_w, hull, point):
            hull.pop()
        hull.append(point)
    return hull


def _not_above(idle_w: int, hull: list[RunPoint], point: RunPoint) -> bool:
    """Whether the hull's last point lies on or below the line from the one before to `point`."""
    x, y = (hull[-2].power_w, hull[-2].hashrate_ghs) if len(hull) > 1 else (idle_w, 0)
    last = hull[-1]
    return (last.hashrate_ghs - y) * (point.power_w - x) <= (point.hashrate_ghs - y) * (
        last.power_w - x
    )


def _revenues(points: Sequence[RunPoint], earnings: Earnings) -> list[int]:
    """What each step adds, pico-USD per hour."""
    per_ghs = earnings.hashprice_usd_per_th_day * (1 - earnings.pool_fee) / 24 / 1000 * _PICO
    totals = [0, *(int(p.hashrate_ghs * per_ghs) for p in points)]
    return [above - below for below, above in pairwise(totals)]


def _switch_value(
    powers: Sequence[int], revenues: Sequence[int], limits: Limits, ahead: Outlook, *, running: bool
) -> tuple[int, int]:
    """What being on rather than off after this interval is worth, and the interval's length in ms.

    On and off are valued backwards through the coming intervals, a restart costing what it costs
    and the operating point chosen anew in each. A switch now commits for the minimum time: whoever
    stops cannot return before it, whoever starts runs through it.
    """
    restart = to_micro(limits.restart_cost_usd, "restart_cost_usd") * 10**6 * _HOUR_MS
    if not ahead.later:
        if running:
            return 0, ahead.span_ms
        return -restart, ahead.span_ms + ahead.tail_ms
    margins = [_margin(powers, revenues, price) * ms for price, ms in ahead.later]
    beyond = _margin(powers, revenues, ahead.later[-1][0]) * ahead.tail_ms
    on, off = max(beyond, 0), max(beyond - restart, 0)
    committed = _committed(ahead, limits.min_off_ms if running else limits.min_on_ms)
    at_commitment = off if running else on
    for index in range(len(margins) - 1, -1, -1):
        margin = margins[index]
        on, off = max(margin + on, off), max(off, margin - restart + on)
        if index == committed:
            at_commitment = off if running else on
    if running:
        return on - at_commitment, ahead.span_ms
    return sum(margins[:committed]) + at_commitment - restart - off, ahead.span_ms


def _margin(powers: Sequence[int], revenues: Sequence[int], price: int) -> int:
    """The best an energised miner makes in an hour at a price, pico-USD (it may be a loss)."""
    total = revenues[0] - price * powers[0]
    for power, revenue in zip(powers[1:], revenues[1:], strict=True):
        gain = revenue - price * power
        if gain <= 0:
            break
        total += gain
    return total


def _committed(ahead: Outlook, minimum_ms: int) -> int:
    """How many of the later intervals begin before a minimum time that starts now has ended."""
    begins_ms, count = ahead.span_ms, 0
    for _, span_ms in ahead.later:
        if begins_ms >= minimum_ms:
            break
        count, begins_ms = count + 1, begins_ms + span_ms
    return count
