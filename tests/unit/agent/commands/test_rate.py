"""The token bucket."""

from agent.commands.rate import Allowance


def taken(allowance: Allowance, times_s: list[float]) -> list[bool]:
    results = []
    for now_s in times_s:
        allowance, allowed = allowance.take(now_s)
        results.append(allowed)
    return results


def test_the_burst_is_allowed_and_no_more() -> None:
    assert taken(Allowance.full(3, 1.0, 0.0), [0.0] * 5) == [True, True, True, False, False]


def test_it_fills_again_with_time_up_to_the_burst() -> None:
    assert taken(Allowance.full(2, 0.5, 0.0), [0, 0, 0, 2, 2]) == [True, True, False, True, False]
    assert taken(Allowance.full(2, 1.0, 0.0), [1000.0] * 3) == [True, True, False]


def test_refusals_do_not_postpone_the_next_allowance() -> None:
    assert taken(Allowance.full(1, 1.0, 0.0), [0, 0.4, 0.8, 1.2])[-1] is True


def test_what_was_not_used_can_be_put_back_but_not_beyond_the_burst() -> None:
    allowance, _ = Allowance.full(1, 1.0, 0.0).take(0.0)
    assert allowance.put_back().take(0.0)[1]
    assert taken(allowance.put_back().put_back(), [0.0, 0.0]) == [True, False]
