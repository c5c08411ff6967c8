"""The inputs and the outcome of a curtailment decision, as values.

Money enters as Decimal and is turned once into integers: prices and breakevens into millionths of a
USD per MWh (`_uusd_per_mwh`). Power is in whole watts at the wall.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from shared.errors import BadInputError
from shared.price.forecast import Forecast, NoForecast
from shared.setpoints import Setpoint

MICRO = 1_000_000
MAX_MINERS = 5_000


def to_micro(amount: Decimal, field_name: str) -> int:
    """Millionths of an amount, rounded to the nearest; `BadInputError` when it is not finite."""
    if not amount.is_finite() or abs(amount) > 10**9:
        raise BadInputError(field_name, f"{amount}", "a finite amount of at most 10^9")
    return int((amount * MICRO).to_integral_value())


def from_micro(amount: int) -> Decimal:
    """The amount of so many millionths."""
    return Decimal(amount).scaleb(-6)


@dataclass(frozen=True, slots=True)
class RunPoint:
    """A setpoint that hashes: what it draws at the wall (W) and makes (GH/s)."""

    setpoint: Setpoint
    power_w: int
    hashrate_ghs: int

    def __post_init__(self) -> None:
        if self.power_w < 1 or self.hashrate_ghs < 1:
            raise BadInputError(
                "points", f"{self.power_w} W, {self.hashrate_ghs} GH/s", "both above zero"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What a model of miner can do. Miners of one model share one object: it is computed once.

    `points` are the operating points whose power and hashrate are known (none: the miner is left
    alone); `idle_power_w` is drawn when stopped.
    """

    points: tuple[RunPoint, ...]
    idle_power_w: int = 0


@dataclass(frozen=True, slots=True)
class MinerState:
    """One miner as the decision sees it.

    `current` is the setpoint it is known to follow (None: unknown), `since_ms` when it last began
    or ceased to hash (None: unknown, and no minimum time binds). Until `held_until_ms` an
    operator's command holds it where it is; until `retry_ms` it is left alone, because it did not
    follow the last write. `must_run` keeps it hashing at any price. A miner that is not
    `controllable` (it takes no command to stop) only counts against the cap.
    """

    name: str
    profile: Profile
    current: Setpoint | None
    since_ms: int | None = None
    locked_out: bool = False
    held_until_ms: int | None = None
    retry_ms: int | None = None
    reachable: bool = True
    controllable: bool = True
    must_run: bool = False


@dataclass(frozen=True, slots=True)
class Price:
    """The last known price and the settlement interval it is for (end exclusive)."""

    start_ms: int
    end_ms: int
    usd_per_mwh: Decimal

    def __post_init__(self) -> None:
        if self.end_ms <= self.start_ms:
            raise BadInputError("price.end_ms", f"{self.end_ms}", f"after {self.start_ms}")


@dataclass(frozen=True, slots=True)
class Earnings:
    """What hashing earns: USD per TH/s and day before the pool's fee (a share of it, 0 to 1)."""

    hashprice_usd_per_th_day: Decimal
    pool_fee: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        if not 0 <= self.pool_fee < 1:
            raise BadInputError("pool_fee", f"{self.pool_fee}", "0 to below 1")
        if not 0 <= self.hashprice_usd_per_th_day < 1000:
            raise BadInputError(
                "hashprice_usd_per_th_day", f"{self.hashprice_usd_per_th_day}", "0 to below 1000"
            )


class SafeMode(StrEnum):
    """What a site does when it does not know the price."""

    STOP = "stop"
    RUN = "run"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the decision keeps within.

    The cap outranks everything but a lock-out; then the must-run floor, an operator's hold, the
    minimum times, the ramps, and last the price. `ramp_up_w` and `ramp_down_w` bound what one
    decision may start and stop (None: no bound; below one miner's power nothing moves).
    `restart_cost_usd` is paid at each start of a miner; `payback_ms` says for how long the last
    price of the outlook is taken to last when a restart is weighed. A price is stale when its
    interval ended more than `stale_after_ms` ago.
    """

    min_on_ms: int = 0
    min_off_ms: int = 0
    ramp_up_w: int | None = None
    ramp_down_w: int | None = None
    must_run_w: int = 0
    site_cap_w: int | None = None
    restart_cost_usd: Decimal = Decimal(0)
    payback_ms: int = 4 * 3_600_000
    stale_after_ms: int = 45 * 60_000
    safe_mode: SafeMode = SafeMode.HOLD

    def __post_init__(self) -> None:
        for name in ("min_on_ms", "min_off_ms", "must_run_w", "payback_ms", "stale_after_ms"):
            value: int = getattr(self, name)
            if value < 0:
                raise BadInputError(name, f"{value}", "zero or above")
        for name in ("ramp_up_w", "ramp_down_w", "site_cap_w"):
            bound: int | None = getattr(self, name)
            if bound is not None and bound < 0:
                raise BadInputError(name, f"{bound}", "zero or above, or none")
        if self.site_cap_w is not None and self.must_run_w > self.site_cap_w:
            raise BadInputError("must_run_w", f"{self.must_run_w}", "at most site_cap_w")
        if self.restart_cost_usd < 0:
            raise BadInputError("restart_cost_usd", f"{self.restart_cost_usd}", "zero or above")


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything a decision rests on, beside the moment."""

    miners: tuple[MinerState, ...]
    price: Price | None
    forecast: Forecast | NoForecast
    earnings: Earnings
    limits: Limits

    def __post_init__(self) -> None:
        if len(self.miners) > MAX_MINERS:
            raise BadInputError("miners", f"{len(self.miners)}", f"at most {MAX_MINERS}")


class Basis(StrEnum):
    """What the whole decision rests on."""

    FORECAST = "forecast"
    """The forecast's expected prices."""
    KNOWN_AND_FORECAST = "known_price_and_forecast"
    """The published price of the running interval, and the forecast of what follows."""
    LAST_PRICE = "last_known_price"
    """There is no forecast: the last known price is taken to last."""
    SAFE_MODE_STALE = "safe_mode_stale_price"
    """The last known price is too old: the configured safe mode."""
    SAFE_MODE_NO_PRICE = "safe_mode_no_price"
    """No price was ever known: the configured safe mode."""


class Reason(StrEnum):
    """Why a miner is where the decision puts it."""

    PROFITABLE = "profitable"
    UNPROFITABLE = "unprofitable"
    LOWERED = "lowered"
    """Runs below its highest point, whose last watts cost more than they earn."""
    KEPT_THROUGH_DIP = "kept_through_dip"
    """Unprofitable now, yet stopping costs more (restart, minimum time off) than it saves."""
    START_NOT_WORTH = "start_not_worth_it"
    """Profitable now, yet not for long enough to pay for the restart."""
    MIN_ON = "min_on_time"
    MIN_OFF = "min_off_time"
    RAMP_UP = "ramp_up_limit"
    RAMP_DOWN = "ramp_down_limit"
    MUST_RUN = "must_run"
    SITE_CAP = "site_cap"
    HELD = "held_by_operator"
    LOCKED_OUT = "locked_out"
    NOT_FOLLOWING = "did_not_follow_last_write"
    NOT_CONTROLLABLE = "takes_no_command"
    UNREACHABLE = "unreachable"
    STATE_UNKNOWN = "state_unknown"
    EFFICIENCY_UNKNOWN = "efficiency_unknown"
    SAFE_STOP = "safe_mode_stop"
    SAFE_RUN = "safe_mode_run"
    SAFE_HOLD = "safe_mode_hold"


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where one miner goes and why; `changes` when that is not where it is.

    `breakeven_uusd_per_mwh` is the price at which its present or next step (its first, when
    stopped) earns what it costs; `threshold_uusd_per_mwh` the same with restart and minimum times
    weighed in, which is what the price was compared with. Both None where nothing was compared.
    """

    miner: str
    setpoint: Setpoint | None
    changes: bool
    reason: Reason
    breakeven_uusd_per_mwh: int | None = None
    threshold_uusd_per_mwh: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome: one assignment a miner in the order given, and what it rests on.

    `price_uusd_per_mwh` is the price that was compared (None in a safe mode); powers are sums over
    the miners' setpoints, as they were and as they will be.
    """

    basis: Basis
    detail: str
    price_uusd_per_mwh: int | None
    power_before_w: int
    power_after_w: int
    assignments: tuple[Assignment, ...]
    inputs: Mapping[str, str | int | None] = field(default_factory=dict)

    @property
    def changes(self) -> tuple[Assignment, ...]:
        """The assignments that move a miner."""
        return tuple(a for a in self.assignments if a.changes)
