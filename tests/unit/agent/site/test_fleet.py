"""What the fleet knows of its devices: operating points, what a lock covers, whose power counts."""

from typing import Any

from agent.site.config import SiteSections
from agent.site.fleet import Fleet, Unit, open_unit, point_power_w
from firmware_bridges.capabilities import MinerCapabilities, OperatingPoint
from firmware_bridges.readings import MinerReading, OutletReading, PlantReading
from shared.measured import Reason, Unknown
from shared.setpoints import PowerLimit, Preset, Run, Stop

CAPABLE = MinerCapabilities(
    stop=True,
    run=True,
    presets=(OperatingPoint("low", 2_000.0, 110.0), OperatingPoint("unknown")),
)


class StillClock:
    """Stands still at 100 s."""

    def now_ms(self) -> int:
        return 0

    def monotonic_s(self) -> float:
        return 100.0


def fleet(*miners: dict[str, Any], meters: int = 0) -> Fleet:
    modbus = {"host": "127.0.0.1", "unit": 1}
    tables: list[dict[str, Any]] = [
        {
            "name": f"miner-{n}",
            "kind": "miner",
            "driver": "luxos",
            "settings": {"host": "127.0.0.1"},
            "rated_power_w": 3_000,
            "rated_hashrate_ths": "150",
            "idle_power_w": 40,
            **own,
        }
        for n, own in enumerate(miners, start=1)
    ]
    pdu = {**modbus, "map": "metered_pdu_24"}
    tables.append({"name": "pdu", "kind": "switch", "driver": "modbus-switch", "settings": pdu})
    meter = {**modbus, "map": "schneider_pm5000"}
    tables += [
        {"name": f"meter-{n}", "kind": "meter", "driver": "modbus-meter", "settings": meter}
        for n in range(1, meters + 1)
    ]
    config = SiteSections.model_validate({"device": tables})
    made = Fleet([open_unit(device) for device in config.devices], StillClock(), 30.0, 2)
    for unit in made.miners:
        unit.capabilities = CAPABLE
        made.use_capabilities(unit)
    return made


def read(unit: Unit, reading: MinerReading | PlantReading, begun_s: float = 90.0) -> None:
    unit.reading, unit.read_begun_s = reading, begun_s


async def test_only_points_with_known_figures_count_and_alike_miners_share_them() -> None:
    limit = {"power_limit_w": 2_500, "power_w": 2_500, "hashrate_ths": 1}
    made = fleet({}, {}, {"points": [limit]})
    one, two, three = made.miners
    assert [p.setpoint for p in one.profile.points] == [Run(), Preset("low")]
    assert one.profile is two.profile
    assert PowerLimit(2_500) not in [p.setpoint for p in three.profile.points]  # it takes none
    assert point_power_w(one, Preset("low")) == 2_000
    assert point_power_w(one, Preset("unknown")) is None
    assert point_power_w(one, Stop()) == 40


async def test_a_lock_covers_the_device_what_feeds_it_and_what_it_feeds() -> None:
    made = fleet({"outlet": "pdu/1"}, {"outlet": "pdu/2"})
    assert made.lockable(made.units["miner-1"]) == {"miner-1", "pdu"}
    assert made.lockable(made.units["pdu"], 2) == {"pdu", "miner-2"}
    assert made.lockable(made.units["pdu"], 9) == {"pdu"}


async def test_power_is_the_outlet_s_before_the_miner_s_own_and_an_open_outlet_is_zero() -> None:
    made = fleet({"outlet": "pdu/1"})
    unit, pdu = made.units["miner-1"], made.units["pdu"]
    read(unit, MinerReading(mining=True, power_w=2_900.0))
    assert made.power(unit) == (2_900.0, "miner")
    read(pdu, PlantReading(outlets=(OutletReading(1, closed=True, power_w=3_050.0),)))
    assert made.power(unit) == (3_050.0, "pdu")
    read(pdu, PlantReading(outlets=(OutletReading(1, closed=False),)))
    assert made.power(unit) == (0.0, "pdu")
    read(pdu, PlantReading(outlets=(OutletReading(1, closed=True),)), begun_s=60.0)
    assert made.power(unit) == (2_900.0, "miner")


async def test_a_meter_is_believed_for_a_miner_only_when_it_measures_nothing_else() -> None:
    alone = fleet({"meter": "meter-1"}, {"meter": "meter-2"}, meters=2)
    read(alone.units["meter-1"], PlantReading(power_w=3_100.0))
    assert alone.power(alone.units["miner-1"]) == (3_100.0, "meter")
    shared = fleet({"meter": "meter-1"}, {"meter": "meter-1"}, meters=1)
    read(shared.units["meter-1"], PlantReading(power_w=6_100.0))
    power_w, source = shared.power(shared.units["miner-1"])
    assert isinstance(power_w, Unknown)
    assert power_w.reason is Reason.STALE
    assert source is None


async def test_the_nameplate_counts_only_while_the_miner_is_known_to_hash() -> None:
    made = fleet({})
    unit = made.units["miner-1"]
    unit.told = Run()
    read(unit, MinerReading(mining=True))
    assert made.power(unit) == (3_000.0, "nameplate")
    read(unit, MinerReading(mining=False))
    assert made.power(unit)[1] is None
