"""What a device's row of telemetry carries: its own metrics, its state, the power that is believed.

Pure but for what it looks up in the fleet.
"""

from collections.abc import Sequence

from agent.site.fleet import Fleet, Unit
from agent.site.situation import Price
from firmware_bridges.metrics import Flat, Metric, miner_metrics, plant_metrics
from firmware_bridges.protocol import DeviceKind
from firmware_bridges.readings import MinerReading, PlantReading
from shared.measured import Measured, Reason, Unknown, known
from shared.messages.birth import MetricType

POWER = Metric("power_w", "W", MetricType.FLOAT)
POWER_SOURCE = Metric("power_source", "", MetricType.TEXT)
STATE = Metric("state", "", MetricType.TEXT)
MINING = Metric("mining", "", MetricType.BOOL)
HASHRATE = Metric("hashrate_ths", "TH/s", MetricType.FLOAT)
MINER_POWER = Metric("miner_power_w", "W", MetricType.FLOAT)
TEMPERATURE = Metric("temperature_c", "°C", MetricType.FLOAT)
HUMIDITY = Metric("humidity_pct", "%", MetricType.FLOAT)
KNOWN_HASHRATE = Metric("known_hashrate_ths", "TH/s", MetricType.FLOAT)
MINERS = Metric("miners", "", MetricType.INT)
MINERS_READ = Metric("miners_read", "", MetricType.INT)
MINERS_MINING = Metric("miners_mining", "", MetricType.INT)
PRICE = Metric("price_uusd_per_mwh", "µUSD/MWh", MetricType.INT)

_MAIN = {
    DeviceKind.MINER: (MINING, HASHRATE, MINER_POWER),
    DeviceKind.METER: (POWER,),
    DeviceKind.SWITCH: (POWER,),
    DeviceKind.SENSOR: (TEMPERATURE, HUMIDITY),
}


def device_values(fleet: Fleet, unit: Unit) -> list[Flat]:
    """The row of one device after a poll; nulls with the reason where the poll failed."""
    values: list[Flat]
    if unit.problem is not None:
        unknown = unit.problem.unknown()
        values = [(metric, unknown) for metric in _MAIN[unit.config.kind]]
    elif isinstance(unit.reading, MinerReading):
        values = list(miner_metrics(unit.reading))
    elif isinstance(unit.reading, PlantReading):
        values = list(plant_metrics(unit.reading))
    else:
        values = []
    values.append((STATE, fleet.state_of(unit).value))
    if unit.is_miner:
        power_w, source = fleet.power(unit)
        values.append((POWER, power_w))
        values.append((POWER_SOURCE, _unsourced(power_w) if source is None else source.value))
    return values


def site_values(
    fleet: Fleet, site_meters: Sequence[str], price: Price | None, *, stale: bool
) -> list[Flat]:
    """The row of the site as a whole. A sum with an unknown part is unknown, and so is the power
    of a site without a miner or a meter of its own: something draws there, and nobody says how
    much."""
    miners = list(fleet.miners)
    hashrates = [_hashrate(fleet, unit) for unit in miners]
    powers = [fleet.power(unit)[0] for unit in miners]
    metered = [fleet.meter_power(meter) for meter in site_meters]
    power_w: Measured[float] = Unknown(Reason.NOT_CONFIGURED, "nothing measures the site's power")
    power_source: Measured[str] = Unknown(Reason.NOT_CONFIGURED)
    if site_meters:
        power_w, power_source = _total(metered), "meter"
    elif miners:
        power_w, power_source = _total(powers), "sum"
    readings = [unit.miner_reading for unit in miners if fleet.fresh(unit)]
    price_value: Measured[int] = Unknown(Reason.STALE, "no fresh price")
    if price is not None and not stale:
        price_value = int(price.usd_per_mwh * 1_000_000)
    return [
        (POWER, power_w),
        (POWER_SOURCE, power_source),
        (MINER_POWER, _total(powers)),
        (HASHRATE, _total(hashrates)),
        (KNOWN_HASHRATE, sum(rate for rate in map(known, hashrates) if rate is not None)),
        (MINERS, len(miners)),
        (MINERS_READ, len(readings)),
        (MINERS_MINING, sum(r is not None and known(r.mining) is True for r in readings)),
        (PRICE, price_value),
    ]


def _hashrate(fleet: Fleet, unit: Unit) -> Measured[float]:
    outlet = fleet.outlet_of(unit)
    if outlet is not None and outlet.closed is False:
        return 0.0  # without supply nothing hashes, however silent the miner is
    reading = unit.miner_reading
    if reading is None or not fleet.fresh(unit):
        return unit.problem_or_stale()
    if isinstance(reading.hashrate_ths, Unknown) and known(reading.mining) is False:
        return 0.0
    return reading.hashrate_ths


def _total(parts: Sequence[Measured[float]]) -> Measured[float]:
    total = 0.0
    for part in parts:
        if isinstance(part, Unknown):
            return part
        total += part
    return total


def _unsourced(power_w: Measured[float]) -> Unknown:
    return power_w if isinstance(power_w, Unknown) else Unknown(Reason.NOT_CONFIGURED)
