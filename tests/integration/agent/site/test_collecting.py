"""Readings, what stands for them when they fail, and the sums over the site."""

from pathlib import Path
from typing import Any

from agent.site.collect import pause_s, phase_s
from agent.site.config import CollectConfig
from firmware_bridges.simulators.misbehaviour import Misbehaviour
from shared.measured import Reason, Unknown
from shared.messages.birth import Birth
from shared.messages.event import EventKind
from shared.messages.telemetry import decode_body
from tests.integration.agent.site.rig import Hardware, Rig, site, until, until_events


async def rows(rig: Rig, device: str) -> list[dict[str, Any]]:
    """The recorded snapshots of a device, by metric name."""
    births = await rig.database.read(
        lambda conn: conn.execute("SELECT number, payload FROM births").fetchall()
    )
    meanings = {number: Birth.decode(payload) for number, payload in births}
    found = await rig.database.read(
        lambda conn: conn.execute(
            "SELECT birth, device, body FROM telemetry ORDER BY seq"
        ).fetchall()
    )
    snapshots = []
    for birth, alias, body in found:
        names = {metric.alias: metric.name for metric in meanings[birth].metrics}
        devices = {declared.alias: declared.name for declared in meanings[birth].devices}
        if devices[alias] == device:
            snapshots.append({names[key]: value for key, value in decode_body(body).items()})
    return snapshots


async def test_a_miner_s_row_carries_the_believed_power_and_where_it_comes_from(
    tmp_path: Path,
) -> None:
    hardware = Hardware(1)
    async with hardware.running(), site(tmp_path, hardware, enabled=False) as rig:
        rig.start()
        await until(lambda: rig.role.fleet.units["miner-1"].values.get("power_source") == "pdu")
        await until(lambda: rig.recorder.accepted > 20)
        last = (await rows(rig, "miner-1"))[-1]
        assert last["state"] == "mining"
        assert (last["power_w"], last["power_source"]) == (3_000.0, "pdu")
        whole = (await rows(rig, "site"))[-1]
        assert (whole["miners"], whole["miners_mining"]) == (1, 1)
        assert whole["price_uusd_per_mwh"] == 50_000_000


async def test_a_failed_poll_leaves_nulls_with_the_reason_and_no_zero(tmp_path: Path) -> None:
    hardware = Hardware(2)
    hardware.scripts[0].order(Misbehaviour.GARBAGE)
    async with hardware.running(), site(tmp_path, hardware, enabled=False) as rig:
        rig.start()
        events = await until_events(
            rig, EventKind.DEVICE, lambda found: any(e.data["to"] == "offline" for e in found)
        )
        assert {e.device for e in events if e.data["to"] == "offline"} == {"miner-1"}
        await until(lambda: rig.role.fleet.units["miner-2"].values.get("mining") is True)
        last = (await rows(rig, "miner-1"))[-1]
        for metric in ("mining", "hashrate_ths", "miner_power_w"):
            assert isinstance(last[metric], Unknown)
        assert last["mining"].reason is Reason.MALFORMED
        await until_events(rig, EventKind.ALARM, lambda found: len(found) == 1)
        hardware.scripts[0].clear()
        alarms = await until_events(rig, EventKind.ALARM, lambda found: len(found) == 2)
        assert [(e.data["code"], e.data["raised"]) for e in alarms] == [
            ("unreachable", True),
            ("unreachable", False),
        ]


async def test_a_device_that_hangs_delays_no_other(tmp_path: Path) -> None:
    hardware = Hardware(3)
    hardware.scripts[0].order(Misbehaviour.TIMEOUT)
    async with hardware.running(), site(tmp_path, hardware, enabled=False) as rig:
        rig.start()
        units = rig.role.fleet.units
        seen: dict[str, set[float]] = {"miner-2": set(), "miner-3": set()}

        def others_were_read_often() -> bool:
            for name, times in seen.items():
                times.add(units[name].read_begun_s)
            return all(len(times) >= 8 for times in seen.values())

        await until(others_were_read_often)
        assert units["miner-1"].reading is None


def test_a_thousand_devices_spread_over_the_interval() -> None:
    phases = sorted(phase_s(f"miner-{n:04}", 10.0) for n in range(1_000))
    assert 0 <= phases[0] < 1
    assert 9 < phases[-1] < 10
    busiest = max(sum(s <= phase < s + 1 for phase in phases) for s in range(10))
    assert busiest < 200


def test_a_silent_device_is_asked_less_and_less_often_within_a_bound() -> None:
    config = CollectConfig(interval_s=10.0, longest_interval_s=60.0)
    assert [pause_s(failures, config) for failures in (0, 1, 2, 3, 4, 1_000)] == [
        10.0,
        10.0,
        20.0,
        40.0,
        60.0,
        60.0,
    ]
