"""The row of a site as a whole: what is not measured is unknown, never zero."""

from agent.site.fleet import Fleet
from agent.site.snapshot import (
    HASHRATE,
    MINER_POWER,
    MINERS,
    POWER,
    POWER_SOURCE,
    site_values,
)
from firmware_bridges.metrics import Metric
from firmware_bridges.readings import MinerReading, PlantReading
from shared.measured import Reason, Scalar, Unknown
from tests.unit.agent.site.test_fleet import fleet, read


def values(made: Fleet, *site_meters: str) -> dict[Metric, Scalar | Unknown]:
    return dict(site_values(made, site_meters, None, stale=True))


async def test_the_power_of_a_site_that_nothing_measures_is_unknown_and_says_why() -> None:
    told = values(fleet(meters=1))  # a meter, but none that measures the site
    for metric in (POWER, POWER_SOURCE):
        unknown = told[metric]
        assert isinstance(unknown, Unknown)
        assert unknown.reason is Reason.NOT_CONFIGURED
    assert (told[MINERS], told[MINER_POWER], told[HASHRATE]) == (0, 0.0, 0.0)


async def test_the_power_of_a_site_without_miners_is_its_meter_s() -> None:
    made = fleet(meters=1)
    read(made.units["meter-1"], PlantReading(power_w=1_200.0))
    told = values(made, "meter-1")
    assert (told[POWER], told[POWER_SOURCE]) == (1_200.0, "meter")


async def test_without_a_meter_of_its_own_a_site_s_power_is_the_sum_of_its_miners() -> None:
    made = fleet({}, {})
    one, two = made.miners
    read(one, MinerReading(mining=True, power_w=2_900.0))
    read(two, MinerReading(mining=True, power_w=3_000.0))
    told = values(made)
    assert (told[POWER], told[POWER_SOURCE]) == (5_900.0, "sum")


async def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    made = fleet({}, {})
    one, _ = made.miners
    read(one, MinerReading(mining=True, power_w=2_900.0))
    assert isinstance(values(made)[POWER], Unknown)
