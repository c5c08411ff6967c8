"""Whose turn it is."""

import pytest

from firmware_bridges.modbus.turns import (
    HOLD_LIMIT_S,
    Silence,
    Waiting,
    after_miss,
    held_back_s,
    next_turn,
)


def test_nobody_waits() -> None:
    assert next_turn([], {}) is None


SILENT = {7: Silence(misses=1, until_s=0.0, penalty_s=2.0)}


@pytest.mark.parametrize(
    ("waiting", "silences", "unit"),
    [
        pytest.param([Waiting(2, 7, 1.0), Waiting(1, 8, 0.5)], {}, 8, id="who came first is first"),
        pytest.param(
            [Waiting(1, 7, 0.0), Waiting(2, 8, 9.0, urgent=True)],
            {},
            8,
            id="an ordered write goes before readings",
        ),
        pytest.param(
            [Waiting(1, 7, 0.0), Waiting(2, 8, 1.5)],
            SILENT,
            8,
            id="who was silent goes behind those who wait",
        ),
        pytest.param(
            [Waiting(1, 7, 0.0), Waiting(2, 8, 2.5)], SILENT, 7, id="who was silent is not starved"
        ),
    ],
)
def test_the_turn_goes_to_the_right_unit(
    waiting: list[Waiting], silences: dict[int, Silence], unit: int
) -> None:
    chosen = next_turn(waiting, silences)
    assert chosen is not None
    assert chosen.unit == unit


def test_the_hold_doubles_to_a_limit() -> None:
    silence = None
    holds = []
    for _ in range(9):
        silence = after_miss(silence, 1.0, 100.0, answered_before=False)
        holds.append(held_back_s(silence, 100.0))
    assert holds[:4] == [2.0, 4.0, 8.0, 16.0]
    assert holds[-1] == HOLD_LIMIT_S


def test_the_hold_ends() -> None:
    silence = after_miss(None, 1.0, 100.0, answered_before=False)
    assert held_back_s(silence, 101.5) == 0.5
    assert held_back_s(silence, 102.0) == 0.0


def test_a_slave_that_answered_in_part_is_not_held_back() -> None:
    silence = after_miss(None, 1.0, 100.0, answered_before=True)
    assert held_back_s(silence, 100.0) == 0.0
    assert silence.penalty_s == 1.0


def test_a_slave_that_never_failed_is_not_held_back() -> None:
    assert held_back_s(None, 5.0) == 0.0
