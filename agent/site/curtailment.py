"""Which miner goes to which setpoint. Pure: no I/O, no clock, no randomness; integers only.

How it decides. Each miner is a ladder of rungs (`economics`); each rung bears prices up to its
threshold. Two lists follow (`plans`), each in an order that does not depend on the price:

- what may be stopped, the rung with the lowest threshold first (least efficient first);
- what may be started, the rung with the highest threshold first.

A price stops a beginning of the first list and starts a beginning of the second, and every limit
cuts them at a place that does not depend on the price either. Hence, all else equal, a higher price
never runs more. Starts use only room that was free before this decision: what it stops still has to
prove that it went. So a cap that is full does not trade a running miner for a better one that
stands still.

Order of precedence: lock-out, site cap, must-run, operator's hold, minimum times, ramps, price. The
floor of `must_run_w` is met by miners that can be moved; the cap counts the others too, at the most
that their last known setpoint lets them draw (a miner in unknown state at its highest point).
"""

from agent.site.economics import Outlook, outlook
from agent.site.plans import Guard, Move, Plan, lock_out, make_plans, starts, stops
from agent.site.situation import (
    Assignment,
    Basis,
    Decision,
    Limits,
    Reason,
    SafeMode,
    Situation,
    from_micro,
)
from shared.setpoints import Setpoint, Stop

_STOP = Stop()
_UNBOUNDED = 10**12
_SAFE_REASON = {
    SafeMode.STOP: Reason.SAFE_STOP,
    SafeMode.RUN: Reason.SAFE_RUN,
    SafeMode.HOLD: Reason.SAFE_HOLD,
}
_GUARD_REASON = {
    Guard.MIN_ON: Reason.MIN_ON,
    Guard.HELD: Reason.HELD,
    Guard.MUST_RUN: Reason.MUST_RUN,
}


def decide(situation: Situation, now_ms: int) -> Decision:
    """The decision for a site at a moment; the same input gives the same output."""
    basis, detail, ahead = _basis(situation, now_ms)
    wish = _Wish(None if ahead is None else ahead.price, situation.limits.safe_mode)
    plans = make_plans(situation, ahead, now_ms)
    before_w = sum([plan.power_w for plan in plans])
    lock_out(plans)
    _Shift(plans, situation.limits, before_w).carry_out(wish)
    return Decision(
        basis=basis,
        detail=detail,
        price_uusd_per_mwh=wish.price,
        power_before_w=before_w,
        power_after_w=sum([plan.power_w for plan in plans]),
        assignments=tuple([_assignment(plan, wish) for plan in plans]),
        inputs=_inputs(situation, ahead),
    )


def _basis(situation: Situation, now_ms: int) -> tuple[Basis, str, Outlook | None]:
    price, limits = situation.price, situation.limits
    if price is None:
        return Basis.SAFE_MODE_NO_PRICE, "no price has been known yet", None
    age_ms = now_ms - price.end_ms
    if age_ms > limits.stale_after_ms:
        return Basis.SAFE_MODE_STALE, f"the last known price ended {age_ms // 1000} s ago", None
    ahead = outlook(price, situation.forecast, limits.payback_ms, now_ms)
    return ahead.basis, ahead.detail, ahead


class _Wish:
    """What the price wants of a rung; without a price (None) what the safe mode wants."""

    __slots__ = ("mode", "price")

    def __init__(self, price: int | None, mode: SafeMode) -> None:
        self.price = price
        self.mode = mode

    def stops(self, threshold: int) -> bool:
        """Whether a rung with that threshold is to be left."""
        if self.price is None:
            return self.mode is SafeMode.STOP
        return threshold < self.price

    def starts(self, threshold: int) -> bool:
        """Whether a rung with that threshold is to be climbed."""
        if self.price is None:
            return self.mode is SafeMode.RUN
        return threshold >= self.price


class _Shift:
    """Moves rungs within the limits; every budget is fixed before the price has a say."""

    def __init__(self, plans: list[Plan], limits: Limits, before_w: int) -> None:
        self._limits = limits
        self._stops = stops(plans)
        self._starts = starts(plans)
        self._total_w = sum([plan.power_w for plan in plans])
        self._movable_w = sum([plan.power_w for plan in plans if plan.movable])
        cap_w = _UNBOUNDED if limits.site_cap_w is None else limits.site_cap_w
        self._over_w = max(0, self._total_w - cap_w)
        self._room_w = cap_w - before_w
        self._down_w = _UNBOUNDED if limits.ramp_down_w is None else limits.ramp_down_w
        self._up_w = _UNBOUNDED if limits.ramp_up_w is None else limits.ramp_up_w

    def carry_out(self, wish: _Wish) -> None:
        """The order of precedence, top to bottom."""
        self._stop_for_cap()
        spare_w = self._movable_w - self._limits.must_run_w
        self._stop_for_price(wish, spare_w)
        self._start(wish, missing_w=-spare_w)

    def _stop_for_cap(self) -> None:
        for move in self._stops:
            if self._over_w <= 0:
                return
            _leave(move, Reason.SITE_CAP)
            self._over_w -= move.power_w
            self._movable_w -= move.power_w
            self._down_w -= move.power_w

    def _stop_for_price(self, wish: _Wish, spare_w: int) -> None:
        for move in self._stops:
            if move.guard is not Guard.NONE or not wish.stops(move.threshold):
                return
            if move.rung != move.plan.target - 1:
                continue
            if move.power_w > spare_w:
                move.plan.reason = Reason.MUST_RUN
            elif move.power_w > self._down_w:
                move.plan.reason = Reason.RAMP_DOWN
            else:
                _leave(move, None)
                spare_w -= move.power_w
                self._down_w -= move.power_w

    def _start(self, wish: _Wish, missing_w: int) -> None:
        for move in self._starts:
            forced = move.guard is Guard.MUST_RUN or missing_w > 0
            if not forced and not wish.starts(move.threshold):
                return
            if move.rung != move.plan.target:
                continue
            if move.power_w > self._room_w:
                move.plan.reason = Reason.SITE_CAP
            elif not forced and move.power_w > self._up_w:
                move.plan.reason = Reason.RAMP_UP
            else:
                move.plan.target += 1
                move.plan.power_w += move.power_w
                move.plan.reason = Reason.MUST_RUN if forced else None
                missing_w -= move.power_w
                self._room_w -= move.power_w
                self._up_w -= move.power_w


def _leave(move: Move, reason: Reason | None) -> None:
    move.plan.target = move.rung
    move.plan.power_w -= move.power_w
    move.plan.reason = reason


def _assignment(plan: Plan, wish: _Wish) -> Assignment:
    current = plan.miner.current
    moves = plan.target != plan.level
    setpoint = _setpoint(plan) if moves else current
    if plan.reason is Reason.LOCKED_OUT and plan.miner.reachable and plan.miner.controllable:
        setpoint, moves = _STOP, not isinstance(current, Stop)
    if not plan.ladder:
        return Assignment(plan.miner.name, setpoint, moves, plan.reason or _reason(plan, wish))
    rung = plan.ladder[max(plan.target, 1) - 1]
    return Assignment(
        plan.miner.name,
        setpoint,
        moves,
        plan.reason or _reason(plan, wish),
        rung.breakeven,
        rung.threshold,
    )


def _setpoint(plan: Plan) -> Setpoint:
    return plan.ladder[plan.target - 1].setpoint if plan.target else _STOP


def _reason(plan: Plan, wish: _Wish) -> Reason:
    """Why a miner is where it is, when nothing stronger than price and time put it there."""
    if plan.no_start is Reason.HELD:
        return Reason.HELD
    if plan.target == 0:
        return _reason_stopped(plan, wish)
    rung = plan.ladder[plan.target - 1]
    if wish.stops(rung.threshold) and plan.guard is not Guard.NONE:
        return _GUARD_REASON[plan.guard]
    if wish.price is None:
        return _SAFE_REASON[wish.mode]
    if rung.breakeven < wish.price:
        return Reason.KEPT_THROUGH_DIP
    return Reason.PROFITABLE if plan.target == len(plan.ladder) else Reason.LOWERED


def _reason_stopped(plan: Plan, wish: _Wish) -> Reason:
    rung = plan.ladder[0]
    if plan.no_start is not None and wish.starts(rung.threshold):
        return plan.no_start
    if wish.price is None:
        return _SAFE_REASON[wish.mode]
    profitable = plan.level == 0 and rung.breakeven >= wish.price
    return Reason.START_NOT_WORTH if profitable else Reason.UNPROFITABLE


def _inputs(situation: Situation, ahead: Outlook | None) -> dict[str, str | int | None]:
    """What the decision rests on, as plain data for its event: money as decimal text."""
    price, limits, earnings = situation.price, situation.limits, situation.earnings
    inputs: dict[str, str | int | None] = {
        "hashprice_usd_per_th_day": f"{earnings.hashprice_usd_per_th_day}",
        "last_price_start_ms": None if price is None else price.start_ms,
        "last_price_end_ms": None if price is None else price.end_ms,
        "last_price_usd_per_mwh": None if price is None else f"{price.usd_per_mwh}",
        "min_off_ms": limits.min_off_ms,
        "min_on_ms": limits.min_on_ms,
        "must_run_w": limits.must_run_w,
        "payback_ms": limits.payback_ms,
        "pool_fee": f"{earnings.pool_fee}",
        "ramp_down_w": limits.ramp_down_w,
        "ramp_up_w": limits.ramp_up_w,
        "restart_cost_usd": f"{limits.restart_cost_usd}",
        "safe_mode": limits.safe_mode.value,
        "site_cap_w": limits.site_cap_w,
        "stale_after_ms": limits.stale_after_ms,
    }
    if ahead is not None and ahead.later:
        prices = ",".join(f"{from_micro(price_uusd):.2f}" for price_uusd, _ in ahead.later)
        inputs["expected_usd_per_mwh"] = prices
    return inputs
