"""When the watchdog is fed, and what is said besides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.host.service_manager import Health, Told, feed_every_s, words

GRACE_S = 90.0
WELL = Health(ready=True, status="connected")
ILL = Health(ready=True, status="connected", stuck="not running: uplink")


def test_ready_is_said_once() -> None:
    told, first = words(WELL, Told(), 0.0, GRACE_S)
    _, second = words(WELL, told, 1.0, GRACE_S)
    assert first == ("READY=1", "STATUS=connected", "WATCHDOG=1")
    assert second == ("WATCHDOG=1",)


def test_what_is_not_ready_says_so_and_is_alive() -> None:
    told, said = words(Health(ready=False, status="starting"), Told(), 0.0, GRACE_S)
    assert said == ("STATUS=starting", "WATCHDOG=1")
    assert not told.ready


def test_the_watchdog_starves_when_something_is_stuck_for_longer_than_the_grace() -> None:
    told, said = words(ILL, Told(), 100.0, GRACE_S)
    assert "WATCHDOG=1" in said
    told, said = words(ILL, told, 100.0 + GRACE_S - 1, GRACE_S)
    assert said == ("WATCHDOG=1",)
    _, said = words(ILL, told, 100.0 + GRACE_S, GRACE_S)
    assert said == ()


def test_recovery_in_time_begins_the_grace_anew() -> None:
    told, _ = words(ILL, Told(), 0.0, GRACE_S)
    told, said = words(WELL, told, 80.0, GRACE_S)
    assert "STATUS=connected" in said
    _, said = words(ILL, told, 100.0, GRACE_S)
    assert "WATCHDOG=1" in said


def test_without_grace_the_first_look_already_starves_it() -> None:
    assert "WATCHDOG=1" not in words(ILL, Told(), 0.0, 0.0)[1]


@given(st.text(max_size=400))
def test_a_status_is_one_line_and_cannot_say_anything_else(text: str) -> None:
    _, said = words(Health(ready=False, status=text), Told(status="before"), 0.0, GRACE_S)
    assert all("\n" not in assignment for assignment in said)
    assert all(assignment.startswith(("STATUS=", "WATCHDOG=")) for assignment in said)


@pytest.mark.parametrize(
    ("environment", "every_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_period_is_a_third_of_what_systemd_asks(
    environment: dict[str, str], every_s: float | None
) -> None:
    assert feed_every_s(environment, 7) == every_s
