"""What a device said, with units; every field may be unknown with its reason."""

from dataclasses import dataclass, field

from shared.measured import Measured, Reason, Unknown

NOT_REPORTED = Unknown(Reason.NOT_REPORTED)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a device says of itself."""

    model: Measured[str] = NOT_REPORTED
    firmware: Measured[str] = NOT_REPORTED
    serial: Measured[str] = NOT_REPORTED
    mac: Measured[str] = NOT_REPORTED
    hostname: Measured[str] = NOT_REPORTED


@dataclass(frozen=True, slots=True)
class BoardReading:
    """One hash board; `index` counts from 0 in the device's own order."""

    index: int
    hashrate_ths: Measured[float] = NOT_REPORTED
    nominal_hashrate_ths: Measured[float] = NOT_REPORTED
    temperature_c: Measured[float] = NOT_REPORTED
    chip_temperature_c: Measured[float] = NOT_REPORTED
    inlet_temperature_c: Measured[float] = NOT_REPORTED
    outlet_temperature_c: Measured[float] = NOT_REPORTED
    chips: Measured[int] = NOT_REPORTED
    chips_expected: Measured[int] = NOT_REPORTED
    frequency_mhz: Measured[float] = NOT_REPORTED
    voltage_v: Measured[float] = NOT_REPORTED
    power_w: Measured[float] = NOT_REPORTED
    hardware_errors: Measured[int] = NOT_REPORTED
    active: Measured[bool] = NOT_REPORTED
    serial: Measured[str] = NOT_REPORTED


@dataclass(frozen=True, slots=True)
class FanReading:
    """One fan; `index` counts from 0."""

    index: int
    speed_rpm: Measured[int] = NOT_REPORTED


@dataclass(frozen=True, slots=True)
class PoolReading:
    """One pool; `index` counts from 0. Share counts are since the miner started."""

    index: int
    url: Measured[str] = NOT_REPORTED
    worker: Measured[str] = NOT_REPORTED
    alive: Measured[bool] = NOT_REPORTED
    active: Measured[bool] = NOT_REPORTED
    accepted: Measured[int] = NOT_REPORTED
    rejected: Measured[int] = NOT_REPORTED
    stale: Measured[int] = NOT_REPORTED


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as the device states it: its own code as text, and its words."""

    code: str
    text: str = ""
    time_ms: int | None = None


@dataclass(frozen=True, slots=True)
class MinerReading:
    """One snapshot of a miner.

    `hashrate_ths` is the shortest average the device gives, `average_hashrate_ths` the one since
    start; `power_w` is what the miner says of its wall power; `mining` whether it hashes or is
    told to. An empty tuple means that the device reported none of the kind; a kind it does not
    report is `Unknown`.
    """

    identity: Identity = field(default_factory=Identity)
    mining: Measured[bool] = NOT_REPORTED
    hashrate_ths: Measured[float] = NOT_REPORTED
    average_hashrate_ths: Measured[float] = NOT_REPORTED
    nominal_hashrate_ths: Measured[float] = NOT_REPORTED
    power_w: Measured[float] = NOT_REPORTED
    power_limit_w: Measured[float] = NOT_REPORTED
    preset: Measured[str] = NOT_REPORTED
    temperature_c: Measured[float] = NOT_REPORTED
    inlet_temperature_c: Measured[float] = NOT_REPORTED
    uptime_s: Measured[int] = NOT_REPORTED
    boards: Measured[tuple[BoardReading, ...]] = NOT_REPORTED
    fans: Measured[tuple[FanReading, ...]] = NOT_REPORTED
    pools: Measured[tuple[PoolReading, ...]] = NOT_REPORTED
    faults: Measured[tuple[Fault, ...]] = NOT_REPORTED


@dataclass(frozen=True, slots=True)
class PhaseReading:
    """One phase of a meter, "l1" to "l3"; voltage to neutral."""

    name: str
    voltage_v: Measured[float] = NOT_REPORTED
    current_a: Measured[float] = NOT_REPORTED
    power_w: Measured[float] = NOT_REPORTED


@dataclass(frozen=True, slots=True)
class OutletReading:
    """One outlet or breaker, numbered from 1; `closed` means energised."""

    index: int
    closed: Measured[bool] = NOT_REPORTED
    power_w: Measured[float] = NOT_REPORTED


@dataclass(frozen=True, slots=True)
class PlantReading:
    """One snapshot of a meter, PDU, breaker or sensor; import is energy drawn from the grid."""

    identity: Identity = field(default_factory=Identity)
    power_w: Measured[float] = NOT_REPORTED
    reactive_power_var: Measured[float] = NOT_REPORTED
    apparent_power_va: Measured[float] = NOT_REPORTED
    power_factor: Measured[float] = NOT_REPORTED
    frequency_hz: Measured[float] = NOT_REPORTED
    energy_import_wh: Measured[float] = NOT_REPORTED
    energy_export_wh: Measured[float] = NOT_REPORTED
    temperature_c: Measured[float] = NOT_REPORTED
    humidity_pct: Measured[float] = NOT_REPORTED
    phases: tuple[PhaseReading, ...] = ()
    outlets: tuple[OutletReading, ...] = ()
