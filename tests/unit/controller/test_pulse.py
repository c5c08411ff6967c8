"""What the controller's checks mean to systemd."""

from controller.pulse import LONGEST_CHECK_S, Checked, health_of


def test_it_is_ready_once_it_listens_and_its_checks_found_nothing() -> None:
    health = health_of(Checked(10.0, {}), 11.0, listening=True)
    assert health.ready
    assert health.status == "ready"
    assert health.stuck is None


def test_a_broker_that_is_away_is_told_and_keeps_nobody_from_serving() -> None:
    health = health_of(Checked(10.0, {"broker": "not connected"}), 11.0, listening=True)
    assert health.ready
    assert health.status == "broker: not connected"


def test_a_missing_database_or_listener_is_not_ready_and_no_hang() -> None:
    for checked, listening in (
        (Checked(10.0, {"database": "OperationalError"}), True),
        (Checked(10.0, {}), False),
        (Checked(10.0), True),
    ):
        health = health_of(checked, 11.0, listening=listening)
        assert not health.ready
        assert health.stuck is None


def test_checks_that_never_come_back_are_a_hang() -> None:
    checked = Checked(10.0, {})
    assert health_of(checked, 10.0 + LONGEST_CHECK_S, listening=True).stuck is None
    assert health_of(checked, 11.0 + LONGEST_CHECK_S, listening=True).stuck is not None
