"""What a device can do, as data: read from the device or its model, never guessed from a name."""

from dataclasses import dataclass, field

from shared.setpoints import PowerLimit, Preset, Run, Setpoint, Stop


@dataclass(frozen=True, slots=True)
class PowerRange:
    """Power limits the device takes, in watts at the wall."""

    least_w: int
    most_w: int
    step_w: int = 1


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A preset by its name; expected power and hashrate where the device states them."""

    name: str
    power_w: float | None = None
    hashrate_ths: float | None = None


@dataclass(frozen=True, slots=True)
class MinerCapabilities:
    """What a miner takes and what of it can be read back.

    `readback` names the fields of `MinerReading` that show a write's effect (a subset of
    "mining", "power_limit_w", "preset", "power_w", "hashrate_ths"); `settle_s` is how long a write
    usually needs until the reading shows it.
    """

    stop: bool = False
    run: bool = False
    reboot: bool = False
    power_limit: PowerRange | None = None
    presets: tuple[OperatingPoint, ...] = ()
    readback: frozenset[str] = field(default_factory=frozenset)
    settle_s: float = 60.0

    def why_not(self, setpoint: Setpoint) -> str | None:
        """Why this device cannot take the setpoint; None when it can."""
        match setpoint:
            case Stop():
                return None if self.stop else "this device cannot be stopped by command"
            case Run():
                return None if self.run else "this device cannot be started by command"
            case PowerLimit(power_w):
                return self._why_not_power(power_w)
            case Preset(name):
                names = [point.name for point in self.presets]
                return None if name in names else f"no preset {name!r}; it has {', '.join(names)}"

    def _why_not_power(self, power_w: int) -> str | None:
        limits = self.power_limit
        if limits is None:
            return "this device takes no power limit"
        if not limits.least_w <= power_w <= limits.most_w:
            return f"{power_w} W is outside {limits.least_w} to {limits.most_w} W"
        return None


@dataclass(frozen=True, slots=True)
class PlantCapabilities:
    """What a plant device offers: outlets it can switch (numbered from 1), metrics it reads."""

    outlets: tuple[int, ...] = ()
    readback: bool = False
    metrics: tuple[str, ...] = ()
