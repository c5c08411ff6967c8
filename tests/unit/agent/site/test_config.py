"""The site's sections of the configuration: what is refused, and with which words."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from agent.site.config import SiteSections
from agent.site.situation import SafeMode


def miner(**changes: Any) -> dict[str, Any]:
    return {
        "name": "miner-1",
        "kind": "miner",
        "driver": "luxos",
        "settings": {"host": "127.0.0.1"},
        **changes,
    }


PDU = {
    "name": "pdu-1",
    "kind": "switch",
    "driver": "modbus-switch",
    "settings": {"map": "metered_pdu_24", "unit": 1, "host": "127.0.0.1"},
}


def sections(*devices: dict[str, Any], **more: Any) -> SiteSections:
    return SiteSections.model_validate({"device": list(devices), **more})


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        ([miner(driver="toaster")], "no driver 'toaster' (allowed: antminer"),
        ([miner(settings={"host": "h", "prt": 1})], "settings.prt"),
        ([miner(settings={})], "settings.host"),
        ([miner(kind="meter")], "luxos is no driver of a meter (allowed: miner)"),
        ([miner(name="site")], "is the site itself"),
        ([miner(name="Miner 1")], "name"),
        ([miner(), miner()], "a name is given twice"),
        ([miner(outlet="pdu-1/3")], "'pdu-1' is no switch of this site (allowed: none)"),
        ([miner(outlet="pdu-1")], "outlet"),
        ([miner(meter="pdu-1"), PDU], "'pdu-1' is no meter of this site"),
        ([miner(points=[{"power_w": 1_000, "hashrate_ths": "50"}])], "either preset or power"),
        ([miner(rated_power_w=0)], "rated_power_w"),
    ],
)
def test_a_wrong_device_is_refused_with_what_is_allowed(
    devices: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        sections(*devices)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"curtailment": {}}, "hashprice_usd_per_th_day"),
        ({"curtailment": {"hashprice_usd_per_th_day": "-1"}}, "hashprice_usd_per_th_day"),
        (
            {
                "curtailment": {
                    "hashprice_usd_per_th_day": "0.05",
                    "must_run_kw": 5,
                    "site_cap_kw": 4,
                }
            },
            "must_run_kw is above site_cap_kw",
        ),
        ({"curtailment": {"hashprice_usd_per_th_day": "0.05", "safe_mode": "panic"}}, "safe_mode"),
        ({"prices": {"url": "ftp://feed"}}, "prices.url"),
        ({"power": {"site_meters": ["main"]}}, "'main' is no meter of this site"),
        ({"collect": {"interval_s": 0}}, "collect.interval_s"),
    ],
)
def test_a_wrong_section_is_refused_with_its_key(section: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        sections(miner(), **section)
    assert words in str(refused.value)


def test_a_device_s_paths_start_at_the_configuration_s_folder(tmp_path: Path) -> None:
    device = miner(driver="antminer", settings={"host": "h", "password_file": "secrets/pw"})
    config = SiteSections.model_validate({"device": [device]}, context={"folder": tmp_path})
    settings = config.devices[0].driver_settings
    assert settings.model_dump()["password_file"] == tmp_path / "secrets/pw"


def test_limits_are_told_in_watts_and_milliseconds() -> None:
    config = sections(
        miner(outlet="pdu-1/3"),
        PDU,
        curtailment={
            "hashprice_usd_per_th_day": "0.05",
            "ramp_up_kw": 3,
            "min_off_s": 60,
            "safe_mode": "stop",
        },
    )
    assert config.devices[0].outlet_place == ("pdu-1", 3)
    assert config.curtailment is not None
    limits = config.curtailment.limits(stale_after_s=90)
    assert (limits.ramp_up_w, limits.ramp_down_w) == (3_000, None)
    assert (limits.min_off_ms, limits.stale_after_ms) == (60_000, 90_000)
    assert limits.safe_mode is SafeMode.STOP
