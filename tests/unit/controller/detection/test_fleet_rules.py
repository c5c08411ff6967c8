"""What births, states and replies give away."""

from dataclasses import replace

import pytest

from controller.detection.fleet_rules import (
    REPEATED_AFTER_MS,
    Boot,
    Born,
    Issued,
    Known,
    accepted_after,
    boots_after,
    judge_agent_event,
    judge_birth,
    judge_refused,
    judge_reply,
    returns,
)
from controller.detection.kinds import SecurityKind
from shared.messages.reply import Reply, ReplyState

KNOWN = Known(
    telemetry_stream=11,
    birth_number=5,
    birth_boot="boot-1",
    boots=(Boot("boot-1", 100), Boot("boot-2", 200)),
    hashes={"policy": "aa", "software": "55"},
)
BORN = Born(
    telemetry_stream=11,
    number=6,
    boot_id="boot-2",
    software="suite 1.0",
    hashes={"policy": "aa", "software": "55"},
    stream_is_new=False,
)


def kinds(known: Known, born: Born, allowed: tuple[str, ...] = ()) -> list[SecurityKind]:
    return [noticed.kind for noticed in judge_birth(known, born, allowed)]


def test_an_honest_restart_gives_nothing_away() -> None:
    assert kinds(KNOWN, BORN) == []
    assert kinds(KNOWN, replace(BORN, number=5)) == []
    assert kinds(KNOWN, replace(BORN, telemetry_stream=12, number=1, stream_is_new=True)) == []


def test_a_new_boot_that_counts_from_below_is_a_rollback() -> None:
    assert kinds(KNOWN, replace(BORN, number=4)) == [SecurityKind.SEQUENCE_ROLLBACK]


def test_a_stream_given_up_that_comes_back_is_a_rollback() -> None:
    assert kinds(KNOWN, replace(BORN, telemetry_stream=9, number=8)) == [
        SecurityKind.SEQUENCE_ROLLBACK
    ]


def test_a_birth_of_history_sent_on_request_is_none() -> None:
    history = replace(BORN, number=2, boot_id="boot-0", hashes={"policy": "old"})
    assert kinds(KNOWN, history, ("suite 9",)) == []
    same_boot = replace(KNOWN, birth_boot="boot-2", birth_number=9)
    assert kinds(same_boot, replace(BORN, number=7)) == []


def test_another_hash_under_a_known_name_is_drift_until_it_is_accepted() -> None:
    born = replace(BORN, hashes={"policy": "bb", "model": "cc"})
    assert kinds(KNOWN, born) == [SecurityKind.CONFIGURATION_DRIFT]
    assert accepted_after(KNOWN.hashes, born.hashes) == {
        "policy": "aa",
        "software": "55",
        "model": "cc",
    }
    assert kinds(replace(KNOWN, hashes={"policy": "bb"}), born) == []


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ((), []),
        (("suite 1.0",), []),
        (("55",), []),
        (("suite 1.1", "56"), [SecurityKind.SOFTWARE_UNEXPECTED]),
    ],
)
def test_software_is_held_against_the_list(
    allowed: tuple[str, ...], expected: list[SecurityKind]
) -> None:
    assert kinds(KNOWN, BORN, allowed) == expected


def test_an_upgrade_to_listed_software_is_no_drift_and_one_without_a_list_is() -> None:
    born = replace(BORN, hashes={"software": "56"})
    assert kinds(KNOWN, born, ("56",)) == []
    assert kinds(KNOWN, born) == [SecurityKind.CONFIGURATION_DRIFT]


def test_an_earlier_boot_that_is_online_again_is_a_second_agent() -> None:
    boots = boots_after(boots_after((), Boot("a", 1)), Boot("b", 2))
    assert not returns(boots, Boot("b", 3))
    assert not returns(boots, Boot("c", 3))
    assert returns(boots, Boot("a", 3))


def test_a_state_that_the_broker_tells_again_is_no_second_agent() -> None:
    boots = boots_after(boots_after((), Boot("a", 1)), Boot("b", 2))
    assert not returns(boots, Boot("a", 1))
    assert boots_after(boots, Boot("a", 1)) == boots


def test_only_the_last_boots_are_kept() -> None:
    boots: tuple[Boot, ...] = ()
    for number in range(50):
        boots = boots_after(boots, Boot(f"boot-{number}", number))
    assert [boot.id for boot in boots] == [f"boot-{number}" for number in range(42, 50)]


def _reply(problem: str = "", state: ReplyState = ReplyState.REFUSED) -> Reply:
    return Reply("order-1", 3, state, problem)


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        ("foreign_node", SecurityKind.COMMAND_FORGED),
        ("not_yet", SecurityKind.COMMAND_FORGED),
        ("foreign_stream", SecurityKind.COMMAND_REPLAYED),
        ("old_number", SecurityKind.COMMAND_REPLAYED),
        ("too_late", SecurityKind.COMMAND_REPLAYED),
        ("", SecurityKind.COMMAND_UNKNOWN),
    ],
)
def test_an_answer_to_an_order_that_nobody_gave_is_told(
    problem: str, expected: SecurityKind
) -> None:
    noticed = judge_reply(_reply(problem), None, 0)
    assert noticed is not None
    assert noticed.kind is expected


def test_an_order_that_ran_out_on_its_way_is_no_attack() -> None:
    assert judge_reply(_reply("too_late", ReplyState.EXPIRED), Issued(None), 0) is None
    assert judge_reply(_reply("not_now"), Issued(None), 0) is None


def test_an_order_that_came_out_of_turn_is_told() -> None:
    noticed = judge_reply(_reply("old_number"), Issued(None), 0)
    assert noticed is not None
    assert noticed.kind is SecurityKind.COMMAND_REPLAYED


def test_a_final_answer_given_again_much_later_is_a_replay() -> None:
    done = _reply(state=ReplyState.DONE)
    assert judge_reply(done, Issued(1_000), 1_000 + REPEATED_AFTER_MS) is None
    noticed = judge_reply(done, Issued(1_000), 1_001 + REPEATED_AFTER_MS)
    assert noticed is not None
    assert noticed.kind is SecurityKind.COMMAND_REPLAYED


def test_the_agents_word_on_unproven_messages_is_taken() -> None:
    assert judge_agent_event({"what": "started"}) is None
    noticed = judge_agent_event({"what": "commands_unproven", "count": 3, "text": "no key"})
    assert noticed is not None
    assert noticed.kind is SecurityKind.COMMAND_FORGED


def test_rows_under_anothers_stream_are_worse_than_malformed_ones() -> None:
    stolen = judge_refused("stream", "stream: 4 belongs to another node (allowed: b's own)")
    assert stolen is SecurityKind.STREAM_STOLEN
    assert judge_refused("rows", "rows: 17") is SecurityKind.MESSAGE_REFUSED
    assert judge_refused("certificate", "a has none") is SecurityKind.REVOKED_NODE_HEARD
