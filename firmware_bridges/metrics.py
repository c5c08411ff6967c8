"""Readings as flat metrics: the one place that names what telemetry carries."""

from collections.abc import Iterator
from dataclasses import dataclass

from firmware_bridges.readings import (
    BoardReading,
    Fault,
    MinerReading,
    PlantReading,
    PoolReading,
)
from shared.measured import Measured, Scalar, Unknown
from shared.messages.birth import MetricType


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric's name, unit and type."""

    name: str
    unit: str
    type: MetricType


Flat = tuple[Metric, Scalar | Unknown]

_F, _I, _T, _B = MetricType.FLOAT, MetricType.INT, MetricType.TEXT, MetricType.BOOL


def miner_metrics(reading: MinerReading) -> Iterator[Flat]:
    """Every metric of a miner's snapshot; lists appear as `board.0.chips`, `fan.1.speed_rpm`.

    A list that is unknown as a whole appears as its count being unknown (`boards`, `fans` ...).
    """
    yield Metric("mining", "", _B), reading.mining
    yield Metric("hashrate_ths", "TH/s", _F), reading.hashrate_ths
    yield Metric("average_hashrate_ths", "TH/s", _F), reading.average_hashrate_ths
    yield Metric("nominal_hashrate_ths", "TH/s", _F), reading.nominal_hashrate_ths
    yield Metric("miner_power_w", "W", _F), reading.power_w
    yield Metric("power_limit_w", "W", _F), reading.power_limit_w
    yield Metric("preset", "", _T), reading.preset
    yield Metric("temperature_c", "°C", _F), reading.temperature_c
    yield Metric("inlet_temperature_c", "°C", _F), reading.inlet_temperature_c
    yield Metric("uptime_s", "s", _I), reading.uptime_s
    yield Metric("boards", "", _I), _count(reading.boards)
    if not isinstance(reading.boards, Unknown):
        for board in reading.boards:
            yield from _board(board)
    yield Metric("fans", "", _I), _count(reading.fans)
    if not isinstance(reading.fans, Unknown):
        for fan in reading.fans:
            yield Metric(f"fan.{fan.index}.speed_rpm", "rpm", _I), fan.speed_rpm
    yield Metric("pools", "", _I), _count(reading.pools)
    if not isinstance(reading.pools, Unknown):
        for pool in reading.pools:
            yield from _pool(pool)
    yield Metric("faults", "", _T), _faults(reading.faults)


def plant_metrics(reading: PlantReading) -> Iterator[Flat]:
    """Every metric of a plant device's snapshot that its kind reports."""
    scalars: tuple[Flat, ...] = (
        (Metric("power_w", "W", _F), reading.power_w),
        (Metric("reactive_power_var", "var", _F), reading.reactive_power_var),
        (Metric("apparent_power_va", "VA", _F), reading.apparent_power_va),
        (Metric("power_factor", "", _F), reading.power_factor),
        (Metric("frequency_hz", "Hz", _F), reading.frequency_hz),
        (Metric("energy_import_wh", "Wh", _F), reading.energy_import_wh),
        (Metric("energy_export_wh", "Wh", _F), reading.energy_export_wh),
        (Metric("temperature_c", "°C", _F), reading.temperature_c),
        (Metric("humidity_pct", "%", _F), reading.humidity_pct),
    )
    yield from scalars
    for phase in reading.phases:
        yield Metric(f"{phase.name}.voltage_v", "V", _F), phase.voltage_v
        yield Metric(f"{phase.name}.current_a", "A", _F), phase.current_a
        yield Metric(f"{phase.name}.power_w", "W", _F), phase.power_w
    for outlet in reading.outlets:
        yield Metric(f"outlet.{outlet.index}.closed", "", _B), outlet.closed
        yield Metric(f"outlet.{outlet.index}.power_w", "W", _F), outlet.power_w


def _board(board: BoardReading) -> Iterator[Flat]:
    at = f"board.{board.index}"
    yield Metric(f"{at}.hashrate_ths", "TH/s", _F), board.hashrate_ths
    yield Metric(f"{at}.nominal_hashrate_ths", "TH/s", _F), board.nominal_hashrate_ths
    yield Metric(f"{at}.temperature_c", "°C", _F), board.temperature_c
    yield Metric(f"{at}.chip_temperature_c", "°C", _F), board.chip_temperature_c
    yield Metric(f"{at}.inlet_temperature_c", "°C", _F), board.inlet_temperature_c
    yield Metric(f"{at}.outlet_temperature_c", "°C", _F), board.outlet_temperature_c
    yield Metric(f"{at}.chips", "", _I), board.chips
    yield Metric(f"{at}.chips_expected", "", _I), board.chips_expected
    yield Metric(f"{at}.frequency_mhz", "MHz", _F), board.frequency_mhz
    yield Metric(f"{at}.voltage_v", "V", _F), board.voltage_v
    yield Metric(f"{at}.power_w", "W", _F), board.power_w
    yield Metric(f"{at}.hardware_errors", "", _I), board.hardware_errors
    yield Metric(f"{at}.active", "", _B), board.active
    yield Metric(f"{at}.serial", "", _T), board.serial


def _pool(pool: PoolReading) -> Iterator[Flat]:
    at = f"pool.{pool.index}"
    yield Metric(f"{at}.url", "", _T), pool.url
    yield Metric(f"{at}.worker", "", _T), pool.worker
    yield Metric(f"{at}.alive", "", _B), pool.alive
    yield Metric(f"{at}.active", "", _B), pool.active
    yield Metric(f"{at}.accepted", "", _I), pool.accepted
    yield Metric(f"{at}.rejected", "", _I), pool.rejected
    yield Metric(f"{at}.stale", "", _I), pool.stale


def _count(items: Measured[tuple[object, ...]]) -> Scalar | Unknown:
    return items if isinstance(items, Unknown) else len(items)


def _faults(faults: Measured[tuple[Fault, ...]]) -> Scalar | Unknown:
    """Fault codes joined by commas; an empty text says that the device reports none."""
    if isinstance(faults, Unknown):
        return faults
    return ",".join(fault.code for fault in faults[:50])
