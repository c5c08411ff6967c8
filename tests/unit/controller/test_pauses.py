"""Pauses grow to the longest and differ from each other."""

from controller.pauses import pause_after


def test_a_pause_is_between_half_of_its_step_and_the_whole() -> None:
    for failures, longest_s in ((0, 0.2), (1, 1.0), (2, 5.0), (50, 5.0)):
        for _ in range(50):
            assert longest_s / 2 <= pause_after(failures, (0.2, 1.0, 5.0)) <= longest_s


def test_two_who_failed_together_do_not_come_back_together() -> None:
    assert len({pause_after(3, (0.2, 5.0)) for _ in range(20)}) > 1
