"""What the judge lets act, and what not."""

from dataclasses import replace

import pytest

from agent.commands.judge import (
    Admit,
    Decline,
    Kept,
    Marks,
    Moment,
    Problem,
    Repeat,
    doubt,
    judge,
    judge_again,
    marks_after,
    missed,
)
from shared.messages.command import Command
from shared.messages.reply import Reply, ReplyState
from shared.time import iso_utc
from tests.unit.agent.commands.orders import NODE, NOW_MS, STREAM, order

KEPT = Kept(NODE, STREAM, Marks(last_accepted=4, last_seen=4))
NOW = Moment(NOW_MS + 1_000)


def problem(command: Command, kept: Kept = KEPT, moment: Moment = NOW) -> Problem:
    verdict = judge(command, kept, moment, None)
    assert isinstance(verdict, Decline)
    return verdict.problem


def test_the_next_number_of_this_node_and_stream_is_admitted() -> None:
    assert judge(order(5), KEPT, NOW, None) == Admit()


def test_a_number_after_a_gap_is_admitted_and_the_gap_is_known() -> None:
    assert judge(order(9), KEPT, NOW, None) == Admit()
    assert missed(KEPT.marks, 9) == (5, 8)
    assert missed(KEPT.marks, 5) is None


def test_a_refused_number_is_not_reported_as_missing() -> None:
    refused = judge(order(5), KEPT, NOW, "locked out")
    marks = marks_after(KEPT.marks, order(5), refused, NOW)
    assert marks.last_accepted == 4
    assert missed(marks, 6) is None


def test_another_nodes_command_is_refused() -> None:
    assert problem(order(5, node="site-b-01")) is Problem.FOREIGN_NODE


def test_a_command_for_a_lost_database_is_refused() -> None:
    assert problem(order(5, stream=STREAM + 1)) is Problem.FOREIGN_STREAM


@pytest.mark.parametrize("seq", [1, 3, 4])
def test_a_number_at_or_below_the_last_accepted_is_refused(seq: int) -> None:
    assert problem(order(seq, id="fresh")) is Problem.OLD_NUMBER


def test_the_same_id_gets_the_kept_answer_whatever_else_is_wrong_with_it() -> None:
    answer = Reply("command-4", 4, ReplyState.DONE)
    kept = replace(KEPT, answered=answer)
    late = Moment(NOW_MS + 10**9, clock_trusted=False)
    assert judge(order(4), kept, late, "locked out") == Repeat(answer)


def test_a_command_acts_until_just_before_its_end_and_not_at_it() -> None:
    end_ms = order(5).expires_at_ms
    assert judge(order(5), KEPT, Moment(end_ms - 1), None) == Admit()
    verdict = judge(order(5), KEPT, Moment(end_ms), None)
    assert isinstance(verdict, Decline)
    assert verdict.state is ReplyState.EXPIRED
    assert verdict.problem is Problem.TOO_LATE
    assert verdict.text == f"expired at {iso_utc(end_ms)}; it is {iso_utc(end_ms)}"


def test_a_command_before_its_time_is_refused_beyond_the_tolerance_only() -> None:
    early = order(5, not_before_ms=NOW_MS + 5_000)
    assert problem(early, moment=Moment(NOW_MS)) is Problem.NOT_YET
    assert judge(early, KEPT, Moment(NOW_MS, tolerance_ms=5_000), None) == Admit()


def test_a_command_from_the_future_is_refused() -> None:
    early = order(5, issued_at_ms=NOW_MS + 5_000)
    assert problem(early, moment=Moment(NOW_MS)) is Problem.NOT_YET


def test_no_command_acts_on_a_clock_that_jumped() -> None:
    jumped = Moment(NOW_MS + 1_000, clock_trusted=False)
    assert problem(order(5), moment=jumped) is Problem.CLOCK_UNTRUSTED


def test_a_clock_that_is_behind_does_not_revive_what_a_later_command_shows_to_be_over() -> None:
    later = order(6, issued_at_ms=order(5).expires_at_ms)
    marks = marks_after(KEPT.marks, later, Admit(), Moment(later.issued_at_ms))
    behind = Kept(NODE, STREAM, replace(marks, last_accepted=4))
    assert problem(order(5), kept=behind, moment=Moment(NOW_MS)) is Problem.TOO_LATE


def test_an_untrusted_clock_teaches_no_time() -> None:
    jumped = Moment(NOW_MS + 10**9, clock_trusted=False)
    refused = judge(order(5), KEPT, jumped, None)
    assert marks_after(KEPT.marks, order(5), refused, jumped).latest_issued_ms == 0


def test_a_command_without_room_uses_its_number_up() -> None:
    full = replace(KEPT, room=False)
    verdict = judge(order(5), full, NOW, None)
    assert isinstance(verdict, Decline)
    assert verdict.problem is Problem.BUSY
    assert not verdict.keep
    marks = marks_after(full.marks, order(5), verdict, NOW)
    assert problem(order(5), kept=Kept(NODE, STREAM, marks)) is Problem.OLD_NUMBER


def test_what_the_role_says_is_the_text_of_the_refusal() -> None:
    verdict = judge(order(5), KEPT, NOW, "miner-1 is locked out by Eve")
    assert verdict == Decline(ReplyState.REFUSED, Problem.NOT_NOW, "miner-1 is locked out by Eve")


def test_before_acting_expiry_lockout_and_clock_are_judged_again() -> None:
    command = order(5)
    late = judge_again(command, KEPT.marks, Moment(command.expires_at_ms), None)
    locked = judge_again(command, KEPT.marks, NOW, "locked out")
    jumped = judge_again(command, KEPT.marks, Moment(NOW_MS, clock_trusted=False), None)
    assert [d.problem if d else None for d in (late, locked, jumped)] == [
        Problem.TOO_LATE,
        Problem.NOT_NOW,
        Problem.CLOCK_UNTRUSTED,
    ]
    assert judge_again(command, KEPT.marks, NOW, None) is None


def test_after_a_device_may_have_been_touched_nobody_says_that_nothing_happened() -> None:
    doubtful = doubt(Decline(ReplyState.EXPIRED, Problem.TOO_LATE, "expired"))
    assert doubtful.state is ReplyState.UNVERIFIED
    assert doubtful.problem is Problem.CUT_OFF


def test_marks_never_fall() -> None:
    marks = Marks(9, 12, NOW_MS + 5)
    after = marks_after(marks, order(3), judge(order(3), KEPT, NOW, None), NOW)
    assert after == marks
