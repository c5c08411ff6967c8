"""What came of the day: rows from both databases, energy and orders from the interface."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from provisioning.demo.account import (
    Earnings,
    Measured,
    Site,
    energy_by_interval,
    percentile,
    settle,
)
from provisioning.demo.day import END_MS, INTERVAL_MS, START_MS, MarketRow
from provisioning.demo.interface import Interface
from provisioning.demo.site import MAIN_METER
from shared.time import from_ms, to_ms

Query = dict[str, str | int]

_SITE_DEVICE = "site"
_WINDOW: dict[str, str] = {
    "from": from_ms(START_MS).isoformat(),
    "to": from_ms(END_MS).isoformat(),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """Telemetry rows by where they are; duplicates are rows committed a second time."""

    measured: int
    committed: int
    in_gaps: int
    lost: int
    duplicated: int


def accepted_rows(agent_database: Path) -> int:
    """How many rows of telemetry the agent has accepted by now; they count up from 1."""
    with closing(_read_only(agent_database)) as agent:
        (last,) = agent.execute(
            "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'telemetry'"
        ).fetchone()
    return int(last)


def count_rows(agent_database: Path, controller_database: Path, last: int) -> Rows:
    """Of the first `last` rows the agent accepted, what the controller has or was told is gone."""
    with closing(_read_only(agent_database)) as agent:
        (stream,) = agent.execute("SELECT id FROM streams WHERE name = 'telemetry'").fetchone()
    with closing(_read_only(controller_database)) as controller:
        rows, distinct = controller.execute(
            "SELECT count(*), count(DISTINCT seq) FROM telemetry WHERE stream = ? AND seq <= ?",
            (stream, last),
        ).fetchone()
        (in_gaps,) = controller.execute(
            "SELECT coalesce(sum(last - first + 1), 0) FROM gaps WHERE stream = ?", (stream,)
        ).fetchone()
    return Rows(last, distinct, in_gaps, last - distinct - in_gaps, rows - distinct)


async def summarise(
    interface: Interface, market: Sequence[MarketRow], earnings: Earnings, site: Site, rate: float
) -> dict[str, Any]:
    """Energy, money, curtailments and orders of the day; rows are counted apart."""
    devices = {device["name"]: device["id"] async for device in interface.all("/devices")}
    counter, end_wh = await _counter(interface, devices[MAIN_METER])
    measured = Measured(
        energy_wh=energy_by_interval(counter, end_wh),
        hashrate_ths=await _hashrates(interface, devices[_SITE_DEVICE]),
    )
    account = settle(market, measured, earnings, site)
    return {
        "energy_mwh": str(account.energy_mwh),
        "cost_usd": str(account.cost_usd),
        "revenue_usd": str(account.revenue_usd),
        "margin_usd": str(account.revenue_usd - account.cost_usd),
        "always_on_cost_usd": str(account.always_on_cost_usd),
        "always_on_revenue_usd": str(account.always_on_revenue_usd),
        "always_on_margin_usd": str(account.always_on_revenue_usd - account.always_on_cost_usd),
        **await _decisions(interface),
        **await _orders(interface, rate),
    }


async def _counter(interface: Interface, meter: int) -> tuple[dict[int, Decimal], Decimal]:
    """The meter's count at the first reading in each interval of the day, and at the last."""
    first: dict[int, Decimal] = {}
    last = Decimal(0)
    query: Query = {"metric": "energy_import_wh", "limit": 500, **_WINDOW}
    async for reading in interface.all(f"/devices/{meter}/readings", **query):
        value = reading["metrics"].get("energy_import_wh", {}).get("value")
        if value is None:
            continue
        last = Decimal(str(value))
        time_ms = to_ms(datetime.fromisoformat(reading["time"]))
        first.setdefault(time_ms - time_ms % INTERVAL_MS, last)
    return first, last


async def _hashrates(interface: Interface, site: int) -> dict[int, Decimal]:
    """The mean of what the miners were known to hash, by interval."""
    query: Query = {"metric": "known_hashrate_ths", "resolution": "15m", "limit": 500, **_WINDOW}
    return {
        to_ms(datetime.fromisoformat(bucket["start"])): Decimal(
            str(bucket["metrics"]["known_hashrate_ths"]["mean"])
        )
        async for bucket in interface.all(f"/devices/{site}/rollups", **query)
        if bucket["metrics"]
    }


async def _decisions(interface: Interface) -> dict[str, Any]:
    """How often the site decided to move, and what was written to which end."""
    decisions = 0
    async for _ in interface.all("/events", kind="decision", limit=500):
        decisions += 1
    setpoints: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    async for event in interface.all("/events", kind="write", limit=500):
        setpoints[event["data"]["setpoint"]["kind"]] += 1
        outcomes[event["data"]["outcome"]] += 1
    return {
        "decisions": decisions,
        "curtailments": setpoints.total() - setpoints["run"],
        "writes_by_setpoint": dict(setpoints),
        "writes_by_outcome": dict(outcomes),
    }


async def _orders(interface: Interface, rate: float) -> dict[str, Any]:
    """Orders by their end, and how many real milliseconds they took."""
    states: Counter[str] = Counter()
    took: dict[str, list[float]] = {"accepted": [], "finished": []}
    async for order in interface.all("/commands", limit=500):
        states[order["state"]] += 1
        issued = datetime.fromisoformat(order["issued"])
        for step, times in took.items():
            if order[step] is not None:
                span = datetime.fromisoformat(order[step]) - issued
                times.append(span.total_seconds() * 1_000 / rate)
    return {
        "commands": states.total(),
        "commands_by_state": dict(states),
        "command_accepted_ms_p50": _rounded(percentile(took["accepted"], 0.5)),
        "command_accepted_ms_p99": _rounded(percentile(took["accepted"], 0.99)),
        "command_finished_ms_p50": _rounded(percentile(took["finished"], 0.5)),
        "command_finished_ms_p99": _rounded(percentile(took["finished"], 0.99)),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
