"""The tables of Antminers and LuxOS miners in the configuration, and their entry points."""

from importlib.metadata import entry_points
from typing import Any

import pytest
from pydantic import ValidationError

from firmware_bridges.miners import antminer, luxos
from firmware_bridges.protocol import DeviceKind, Driver, Miner

DRIVERS = {"antminer": antminer.DRIVER, "luxos": luxos.DRIVER}


@pytest.mark.parametrize("family", DRIVERS)
def test_the_driver_is_found_through_its_entry_point(family: str) -> None:
    (found,) = entry_points(group="bes.drivers", name=family)
    assert found.load() is DRIVERS[family]
    assert DRIVERS[family].kinds == frozenset({DeviceKind.MINER})


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=list(DRIVERS))
def test_a_host_is_enough_and_opening_does_no_io(driver: Driver) -> None:
    assert isinstance(driver.open(driver.settings(host="192.0.2.1")), Miner)


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=list(DRIVERS))
@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"host": ""},
        {"host": "h", "deadline_s": 0},
        {"host": "h", "deadline_s": 61},
        {"host": "h", "deadline_s": "soon"},
        {"host": "h", "password": "never in the table"},
        {"host": "h", "colour": "red"},
    ],
    ids=str,
)
def test_a_wrong_table_is_refused(driver: Driver, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        driver.settings(**wrong)


@pytest.mark.parametrize("port", [0, 65_536, -1])
def test_a_port_is_between_1_and_65535(port: int) -> None:
    for driver, name in ((antminer.DRIVER, "api_port"), (luxos.DRIVER, "port")):
        with pytest.raises(ValidationError):
            driver.settings(**{"host": "h", name: port})


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=list(DRIVERS))
def test_settings_are_frozen(driver: Driver) -> None:
    settings: Any = driver.settings(host="192.0.2.1")
    with pytest.raises(ValidationError):
        settings.host = "192.0.2.2"
