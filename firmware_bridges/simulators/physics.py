"""How a simulated miner draws power and hashes: pure but for the clock it is given."""

from collections.abc import Callable
from dataclasses import dataclass, field

from shared.setpoints import PowerLimit, Preset, Run, Setpoint, Stop

IDLE_POWER_W = 45.0
AMBIENT_C = 24.0


@dataclass(frozen=True, slots=True)
class Point:
    """A steady operating point."""

    power_w: float
    hashrate_ths: float


@dataclass(frozen=True, slots=True)
class MinerModel:
    """What is fixed about a simulated miner."""

    model: str
    firmware: str
    serial: str
    mac: str
    rated: Point
    presets: dict[str, Point] = field(default_factory=dict)
    least_power_w: float = 1_200.0
    boards: int = 3
    chips_per_board: int = 114
    fans: int = 4
    ramp_s: float = 60.0

    def point_for(self, setpoint: Setpoint) -> Point:
        """The steady point of a setpoint; hashrate falls a little slower than power."""
        match setpoint:
            case Stop():
                return Point(IDLE_POWER_W, 0.0)
            case Run():
                return self.rated
            case Preset(name):
                return self.presets[name]
            case PowerLimit(power_w):
                power = min(max(float(power_w), self.least_power_w), self.rated.power_w)
                share = power / self.rated.power_w
                return Point(power, self.rated.hashrate_ths * share**0.9)


class SimulatedMiner:
    """A miner that follows its setpoint on a linear ramp over `model.ramp_s` seconds.

    `clock` gives seconds (any origin, may run faster than real time).
    """

    def __init__(
        self,
        model: MinerModel,
        clock: Callable[[], float],
        setpoint: Setpoint | None = None,
    ) -> None:
        self.model = model
        self._clock = clock
        self.setpoint: Setpoint = setpoint or Run()
        self.powered = True
        self._from = model.point_for(self.setpoint)
        self._changed_s = clock()
        self.started_s = clock()
        self.accepted_shares = 0.0

    def apply(self, setpoint: Setpoint) -> None:
        """A new setpoint; KeyError for a preset that the model does not have."""
        self.model.point_for(setpoint)
        self._from = self.point()
        self._changed_s = self._clock()
        self.setpoint = setpoint

    def power(self, *, on: bool) -> None:
        """Cuts or restores the supply (a PDU outlet)."""
        if on and not self.powered:
            self.started_s = self._clock()
            self._from = Point(IDLE_POWER_W, 0.0)
            self._changed_s = self._clock()
        self.powered = on

    def reboot(self) -> None:
        """Starts from idle again."""
        self.started_s = self._clock()
        self._from = Point(IDLE_POWER_W, 0.0)
        self._changed_s = self._clock()

    @property
    def mining(self) -> bool:
        """Whether it is told to hash and has supply."""
        return self.powered and not isinstance(self.setpoint, Stop)

    @property
    def uptime_s(self) -> int:
        """Seconds since it last started."""
        return int(self._clock() - self.started_s)

    def point(self) -> Point:
        """Power and hashrate now."""
        if not self.powered:
            return Point(0.0, 0.0)
        target = self.model.point_for(self.setpoint)
        share = min(1.0, (self._clock() - self._changed_s) / self.model.ramp_s)
        return Point(
            self._from.power_w + (target.power_w - self._from.power_w) * share,
            self._from.hashrate_ths + (target.hashrate_ths - self._from.hashrate_ths) * share,
        )

    def chip_temperature_c(self) -> float:
        """Chips warm with power."""
        return AMBIENT_C + 50.0 * self.point().power_w / self.model.rated.power_w

    def fan_speed_rpm(self) -> int:
        """Fans follow power."""
        share = self.point().power_w / self.model.rated.power_w
        return int(1_800 + 4_200 * share) if self.powered else 0
