"""What a node is sent now."""

from controller.outbox.messages import ACK, COMMAND
from controller.outbox.plan import Waiting, plan
from shared.messages.ack import Ack, AckedRange
from shared.messages.topics import Channel

NOW_MS = 1_000


def ack(row: int, *ranges: tuple[int, int, int], births: tuple[int, ...] = ()) -> Waiting:
    return Waiting(row, ACK, Ack(tuple(AckedRange(*one) for one in ranges), births).encode())


def command(seq: int, not_before_ms: int = 0, expires_at_ms: int = 5_000) -> Waiting:
    return Waiting(
        100 + seq, COMMAND, f"c{seq}".encode(), seq, f"id{seq}", not_before_ms, expires_at_ms
    )


def sent_numbers(*waiting: Waiting) -> list[str]:
    return [one.command_id for one in plan(waiting, NOW_MS)]


def test_acks_that_wait_become_one_message_that_stands_for_all_their_rows() -> None:
    waiting = [ack(1, (7, 1, 3)), ack(2, (7, 4, 9), (8, 1, 1), births=(2,)), ack(3, births=(2, 5))]
    (one,) = plan(waiting, NOW_MS)
    assert one.channel is Channel.ACK
    assert one.rows == (1, 2, 3)
    assert Ack.decode(one.payload) == Ack((AckedRange(7, 1, 9), AckedRange(8, 1, 1)), (2, 5))


def test_commands_go_in_the_order_of_their_numbers() -> None:
    assert sent_numbers(command(3), command(1), command(2)) == ["id1", "id2", "id3"]


def test_an_expired_command_is_not_sent_and_holds_nobody_back() -> None:
    assert sent_numbers(command(1, expires_at_ms=NOW_MS), command(2)) == ["id2"]


def test_a_command_whose_time_has_not_come_holds_back_those_behind_it() -> None:
    assert sent_numbers(command(1), command(2, NOW_MS + 1), command(3)) == ["id1"]


def test_nothing_waiting_sends_nothing() -> None:
    assert plan([], NOW_MS) == []
