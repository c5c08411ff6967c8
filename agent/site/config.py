"""The site's sections of the agent's configuration: [collect], [[device]], [power], [curtailment],
[prices], [model]. `SiteSections` is a mix-in of the whole configuration."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from agent.site.drivers import load_driver, validated_settings
from agent.site.situation import MAX_MINERS, Earnings, Limits, SafeMode
from firmware_bridges.protocol import DeviceKind
from shared.configuration import ConfigPath
from shared.setpoints import MAX_POWER_W, PowerLimit, Preset, Setpoint

SITE_DEVICE = "site"
"""The name under which the site as a whole is reported; no device may have it."""

_FROZEN = ConfigDict(frozen=True, extra="forbid")
_NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"
Watts = Annotated[int, Field(ge=1, le=MAX_POWER_W)]
Terahashes = Annotated[Decimal, Field(gt=0, le=100_000)]


class CollectConfig(BaseModel):
    """How devices are read. Real seconds.

    A device is read every `interval_s`, within `deadline_s`; after failures less often, up to
    `longest_interval_s`. It counts as offline after `offline_after` failures in a row.
    """

    model_config = _FROZEN
    interval_s: float = Field(default=10.0, gt=0, le=3_600)
    deadline_s: float = Field(default=8.0, gt=0, le=600)
    longest_interval_s: float = Field(default=60.0, gt=0, le=3_600)
    offline_after: int = Field(default=2, ge=1, le=100)


class PointConfig(BaseModel):
    """A setpoint beside "run" whose power and hashrate are known: `preset` or `power_limit_w`."""

    model_config = _FROZEN
    preset: str | None = Field(default=None, min_length=1, max_length=80)
    power_limit_w: Watts | None = None
    power_w: Watts
    hashrate_ths: Terahashes

    @model_validator(mode="after")
    def _one_setpoint(self) -> "PointConfig":
        if (self.preset is None) == (self.power_limit_w is None):
            raise ValueError("give either preset or power_limit_w")
        return self

    @property
    def setpoint(self) -> Setpoint:
        """What the miner is told."""
        return (
            Preset(self.preset) if self.preset is not None else PowerLimit(self.power_limit_w or 1)
        )


class DeviceConfig(BaseModel):
    """One device.

    `outlet` names what supplies it ("pdu-1/3": outlet 3 of the switch pdu-1), `meter` what measures
    it, alone or with others. The rated figures are those of "run"; what is not given is asked of
    the device where it can tell. `points` are further operating points.
    """

    model_config = _FROZEN
    name: str = Field(pattern=_NAME)
    kind: DeviceKind
    driver: str
    settings: dict[str, Any] = Field(default_factory=dict)
    rated_power_w: Watts | None = None
    rated_hashrate_ths: Terahashes | None = None
    idle_power_w: int = Field(default=0, ge=0, le=10_000)
    points: tuple[PointConfig, ...] = Field(default=(), max_length=40)
    outlet: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9._-]{0,62}/[1-9][0-9]{0,3}$")
    meter: str | None = Field(default=None, pattern=_NAME)
    must_run: bool = False
    _driver_settings: BaseModel = PrivateAttr()

    @field_validator("driver")
    @classmethod
    def _installed(cls, name: str) -> str:
        load_driver(name)
        return name

    @model_validator(mode="after")
    def _settings_of_its_driver(self, info: ValidationInfo) -> "DeviceConfig":
        driver = load_driver(self.driver)
        if self.kind not in driver.kinds:
            kinds = ", ".join(sorted(driver.kinds))
            raise ValueError(
                f"kind: {self.driver} is no driver of a {self.kind} (allowed: {kinds})"
            )
        if self.name == SITE_DEVICE:
            raise ValueError(f"name: {SITE_DEVICE!r} is the site itself (allowed: another name)")
        try:
            self._driver_settings = validated_settings(driver, self.settings, _folder(info))
        except ValidationError as error:
            raise ValueError(_in_settings(error)) from error
        return self

    @property
    def driver_settings(self) -> BaseModel:
        """The settings by the driver's own model, relative paths from the file's folder."""
        return self._driver_settings

    @property
    def outlet_place(self) -> tuple[str, int] | None:
        """The supplying switch and the number of its outlet."""
        if self.outlet is None:
            return None
        switch, _, number = self.outlet.rpartition("/")
        return switch, int(number)


class PowerConfig(BaseModel):
    """`site_meters` together measure the whole site; without them the miners' powers are summed."""

    model_config = _FROZEN
    site_meters: tuple[str, ...] = Field(default=(), max_length=100)


class CurtailmentConfig(BaseModel):
    """When to curtail. Times in business seconds but for `evaluate_s` and `settle_s` (real ones).

    `on_exit` is what the agent does to miners when it stops: "leave" or "stop". A write has
    followed when the kilowatts came within `tolerance` (a share) of what was expected, within
    `settle_s` (by default what the driver says the device needs).
    """

    model_config = _FROZEN
    enabled: bool = True
    hashprice_usd_per_th_day: Decimal = Field(ge=0, lt=1_000)
    pool_fee: Decimal = Field(default=Decimal(0), ge=0, lt=1)
    min_on_s: int = Field(default=1_800, ge=0, le=7 * 86_400)
    min_off_s: int = Field(default=900, ge=0, le=7 * 86_400)
    ramp_up_kw: int | None = Field(default=None, ge=0)
    ramp_down_kw: int | None = Field(default=None, ge=0)
    must_run_kw: int = Field(default=0, ge=0)
    site_cap_kw: int | None = Field(default=None, ge=0)
    restart_cost_usd: Decimal = Field(default=Decimal(0), ge=0, le=1_000)
    payback_s: int = Field(default=4 * 3_600, ge=0, le=7 * 86_400)
    safe_mode: SafeMode = SafeMode.HOLD
    on_exit: str = Field(default="leave", pattern="^(leave|stop)$")
    evaluate_s: float = Field(default=10.0, gt=0, le=3_600)
    settle_s: float | None = Field(default=None, gt=0, le=3_600)
    tolerance: float = Field(default=0.2, gt=0, lt=1)
    writes_at_once: int = Field(default=32, ge=1, le=1_000)

    @model_validator(mode="after")
    def _floor_under_cap(self) -> "CurtailmentConfig":
        if self.site_cap_kw is not None and self.must_run_kw > self.site_cap_kw:
            raise ValueError("must_run_kw is above site_cap_kw")
        return self

    @property
    def earnings(self) -> Earnings:
        """What hashing earns."""
        return Earnings(self.hashprice_usd_per_th_day, self.pool_fee)

    def limits(self, stale_after_s: int) -> Limits:
        """The decision's limits."""
        return Limits(
            min_on_ms=self.min_on_s * 1000,
            min_off_ms=self.min_off_s * 1000,
            ramp_up_w=_watts(self.ramp_up_kw),
            ramp_down_w=_watts(self.ramp_down_kw),
            must_run_w=self.must_run_kw * 1000,
            site_cap_w=_watts(self.site_cap_kw),
            restart_cost_usd=self.restart_cost_usd,
            payback_ms=self.payback_s * 1000,
            stale_after_ms=stale_after_s * 1000,
            safe_mode=self.safe_mode,
        )


class PricesConfig(BaseModel):
    """Where prices come from (`agent.site.prices` has the format).

    The feed is read every `poll_s` real seconds, each time within `deadline_s`. A price is stale
    when its interval ended more than `stale_after_s` business seconds ago.
    """

    model_config = _FROZEN
    url: str = Field(pattern=r"^https?://[^\s]{1,500}$")
    poll_s: float = Field(default=15.0, gt=0, le=3_600)
    deadline_s: float = Field(default=10.0, gt=0, le=120)
    stale_after_s: int = Field(default=45 * 60, ge=0, le=7 * 86_400)


class ModelConfig(BaseModel):
    """`manifest` is the manifest of the price model, in the folder of its file; without it, the
    model that is installed with the suite. With `enabled = false` the last known price decides."""

    model_config = _FROZEN
    enabled: bool = True
    manifest: ConfigPath | None = None


class SiteSections(BaseModel):
    """The sections that role "site" reads; the agent's configuration inherits them."""

    collect: CollectConfig = Field(default_factory=CollectConfig)
    devices: tuple[DeviceConfig, ...] = Field(default=(), alias="device", max_length=MAX_MINERS)
    power: PowerConfig = Field(default_factory=PowerConfig)
    curtailment: CurtailmentConfig | None = None
    prices: PricesConfig | None = None
    model: ModelConfig = Field(default_factory=ModelConfig)

    @model_validator(mode="after")
    def _names_that_exist(self) -> "SiteSections":
        kinds = {device.name: device.kind for device in self.devices}
        if len(kinds) != len(self.devices):
            raise ValueError("device: a name is given twice (allowed: each once)")
        for device in self.devices:
            if device.outlet_place is not None:
                _require(kinds, device.outlet_place[0], DeviceKind.SWITCH, f"{device.name}.outlet")
            if device.meter is not None:
                _require(kinds, device.meter, DeviceKind.METER, f"{device.name}.meter")
        for meter in self.power.site_meters:
            _require(kinds, meter, DeviceKind.METER, "power.site_meters")
        return self


def _require(kinds: dict[str, DeviceKind], name: str, kind: DeviceKind, where: str) -> None:
    if kinds.get(name) is not kind:
        known = ", ".join(sorted(n for n, k in kinds.items() if k is kind)[:20]) or "none"
        raise ValueError(f"{where}: {name!r} is no {kind} of this site (allowed: {known})")


def _watts(kilowatts: int | None) -> int | None:
    return None if kilowatts is None else kilowatts * 1000


def _folder(info: ValidationInfo) -> Path:
    folder = info.context.get("folder") if isinstance(info.context, dict) else None
    return folder if isinstance(folder, Path) else Path()


def _in_settings(error: ValidationError) -> str:
    found = [
        f"settings.{'.'.join(map(str, item['loc']))}: {item['msg']}"
        for item in error.errors(include_url=False, include_input=False)
    ]
    return "; ".join(found)[:400]
