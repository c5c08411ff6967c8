"""How often one place may try."""

from controller.enrolment.rate import Places, RateLimit, place_of

LIMIT = RateLimit(burst=4, a_second=1)


def test_a_place_may_try_so_often_and_again_later() -> None:
    places = Places(LIMIT)
    assert [places.spend("192.0.2.1", 0) for _ in range(5)] == [True] * 4 + [False]
    assert places.spend("192.0.2.1", 1)
    assert not places.spend("192.0.2.1", 1)


def test_one_place_does_not_use_up_anothers() -> None:
    places = Places(LIMIT)
    while places.spend("192.0.2.1", 0):
        pass
    assert places.spend("192.0.2.2", 0)


def test_a_refused_attempt_costs_more() -> None:
    places = Places(LIMIT)
    places.spend("192.0.2.1", 0)
    places.punish("192.0.2.1", 0, 100)
    assert not places.spend("192.0.2.1", 0)
    assert places.spend("192.0.2.1", 1)


def test_running_dry_is_told_once_until_it_is_half_full_again() -> None:
    places = Places(LIMIT)
    places.punish("192.0.2.1", 0, 4)
    assert [places.tell_once("192.0.2.1", 0) for _ in range(3)] == [True, False, False]
    assert not places.tell_once("192.0.2.1", 1)
    places.punish("192.0.2.1", 10, 4)
    assert places.tell_once("192.0.2.1", 10)


def test_the_addresses_of_one_customer_are_one_place() -> None:
    assert place_of("2001:db8::1") == place_of("2001:db8::ffff:1")
    assert place_of("2001:db8::1") != place_of("2001:db8:0:1::1")
    assert place_of("::ffff:192.0.2.1") == place_of("192.0.2.1") == "192.0.2.1"
    assert place_of("nowhere") == "unknown"
