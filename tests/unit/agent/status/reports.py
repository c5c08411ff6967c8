"""Reports for tests."""

from dataclasses import replace
from typing import Any

from agent.role import DecisionStatus, DeviceStatus, LockoutStatus, RoleStatus
from agent.status.report import (
    BufferReport,
    ClockReport,
    CommandsReport,
    LinkReport,
    ReplyLine,
    StatusReport,
)
from agent.supervisor import TaskHealth

NOW_MS = 1_715_170_000_000


def report(**changes: Any) -> StatusReport:
    """A healthy agent with two devices."""
    made = StatusReport(
        node="site-a-01",
        role="site",
        software="suite 0.1",
        boot_id="b00t",
        time_ms=NOW_MS,
        uptime_s=7_300.0,
        birth=1,
        link=LinkReport(True, "", 2, {"event": 3, "telemetry": 1234}, 1, NOW_MS - 4_000),
        buffer=BufferReport(
            used_bytes=5 * 2**20,
            budget_bytes=2**30,
            disk_full=False,
            rows_accepted=42,
            rows_thinned=0,
            snapshots_held=0,
            oldest_ms={"event": None, "telemetry": NOW_MS - 90_000},
        ),
        clock=ClockReport(True, 12, jumped=False),
        commands=CommandsReport(
            received=9,
            unproven=1,
            repeated=1,
            silenced=0,
            admitted=4,
            admission_s=0.08,
            slowest_admission_s=0.03,
            crashes=0,
            answered={"accepted": 4, "refused/old_number": 1},
            newest=(ReplyLine(NOW_MS - 1_000, "command-7", "refused", "not_now", "locked <out>"),),
        ),
        site=RoleStatus(
            devices=(
                DeviceStatus("miner-1", "miner", "mining", NOW_MS - 9_000, 3_250.4, 110.23),
                DeviceStatus("<b>meter</b>", "meter", "online"),
            ),
            decisions=(DecisionStatus(NOW_MS - 60_000, "price above breakeven", "12 miners"),),
            lockouts=(LockoutStatus("miner-1", "Eve & Co", "fan", NOW_MS - 3_600_000 * 3),),
            facts=(("Price", "41.20 USD/MWh"),),
        ),
        tasks=(TaskHealth("uplink", running=True),),
    )
    return replace(made, **changes)
