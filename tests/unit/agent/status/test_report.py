"""What the report says to look at, and how it reads."""

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry, Counter

from agent.role import DeviceStatus, RoleStatus
from agent.status import metrics
from agent.status.page import render
from agent.status.report import ClockReport, problems_of
from agent.status.text import as_text
from agent.status.words import age, ago, clock_words
from agent.supervisor import TaskHealth
from tests.unit.agent.status.reports import NOW_MS, report


def test_a_healthy_agent_has_no_problem() -> None:
    assert problems_of(report()) == ()
    assert "Everything works." in render(report())


def test_each_trouble_is_named() -> None:
    healthy = report()
    troubled = replace(
        healthy,
        link=replace(healthy.link, connected=False, problem="connection refused"),
        buffer=replace(healthy.buffer, disk_full=True, snapshots_held=3),
        clock=ClockReport(False, None, jumped=True),
        tasks=(TaskHealth("uplink", running=False, crashes=2, last_crash="OSError: x"),),
        site=RoleStatus(devices=(DeviceStatus("miner-9", "miner", "offline", problem="timeout"),)),
    )
    found = "\n".join(problems_of(troubled))
    for words in (
        "disk is full",
        "3 snapshots",
        "clock jumped",
        "OSError: x",
        "refused",
        "miner-9",
    ):
        assert words in found
        assert words in render(troubled)


def test_what_is_shown_is_escaped() -> None:
    page = render(report())
    assert "<b>meter" not in page
    assert "&lt;b&gt;meter&lt;/b&gt;" in page
    assert "locked &lt;out&gt;" in page
    assert "Eve &amp; Co" in page
    assert "<script" not in page


def test_the_page_shows_ages_decisions_and_locks() -> None:
    page = render(report())
    for words in ("9 s ago", "price above breakeven", "fan", "1,234", "41.20 USD/MWh", "20.0 ms"):
        assert words in page


def test_an_unknown_power_is_never_shown_as_zero() -> None:
    page = render(report())
    assert page.count("<td>unknown</td>") == 2
    assert "?" in as_text(report().to_data())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (3 * 86_400, "3 d")],
)
def test_ages_read_well(seconds: int, words: str) -> None:
    assert age(NOW_MS - seconds * 1000, NOW_MS) == words


def test_never_is_not_long_ago() -> None:
    assert ago(None, NOW_MS) == "never"


def test_the_clock_is_told_in_words() -> None:
    assert clock_words(True, 12, jumped=False) == "synchronised, within 12 ms"
    assert "refused" in clock_words(None, None, jumped=True)


def test_the_text_has_a_line_a_device() -> None:
    lines = as_text(report().to_data()).splitlines()
    (miner,) = [line for line in lines if line.startswith("miner-1")]
    assert miner.split() == ["miner-1", "miner", "mining", "9", "s", "ago", "3250", "110.2"]
    assert any(line.startswith("locked    miner-1 by Eve & Co") for line in lines)


def test_metrics_carry_figures_and_leave_out_what_is_unknown() -> None:
    role = CollectorRegistry()
    Counter("bes_role_things", "Counted by the role", registry=role).inc(7)
    shown = report(clock=ClockReport(None, None, jumped=False))
    text = metrics.exposition(shown, role).decode()
    assert "bes_role_things_total 7.0" in text
    for line in (
        'bes_agent_rows_not_acked{stream="telemetry"} 1234.0',
        "bes_agent_link_up 1.0",
        "bes_agent_last_ack_age_seconds 4.0",
        'bes_agent_oldest_row_age_seconds{stream="telemetry"} 90.0',
        'bes_agent_command_answers_total{problem="old_number",state="refused"} 1.0',
        'bes_agent_devices{kind="miner",state="mining"} 1.0',
        "bes_agent_tasks_running 1.0",
    ):
        assert line in text.splitlines()
    assert "clock_synchronised" not in text
    assert 'oldest_row_age_seconds{stream="event"}' not in text
