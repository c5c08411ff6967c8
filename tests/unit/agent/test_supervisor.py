"""Tasks are kept alive, crashes counted, stops ordered."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from agent import supervisor as supervision
from agent.supervisor import Supervisor, TaskHealth, TaskSpec, restart_delay_s


@pytest.fixture
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_DELAY_S", 0.0)


def test_the_delay_doubles_up_to_a_bound() -> None:
    delays = [restart_delay_s(crashes, 0.0) for crashes in range(1, 12)]
    assert delays[:4] == [0.5, 1.0, 2.0, 4.0]
    assert max(delays) == delays[-1] == 60.0
    assert restart_delay_s(10**6, 0.0) == 60.0


def test_the_jitter_takes_up_to_half_away() -> None:
    assert restart_delay_s(3, 0.999) == pytest.approx(1.0, rel=0.01)


def until(condition: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        await condition.wait()

    return run


async def test_a_task_that_crashes_is_started_again(no_delay: None) -> None:
    lives, lived = [], asyncio.Event()

    async def fragile() -> None:
        lives.append(True)
        if len(lives) < 3:
            raise RuntimeError(f"life {len(lives)}")
        lived.set()
        await asyncio.Event().wait()

    told: list[tuple[int, str]] = []

    async def on_crash(health: TaskHealth) -> None:
        told.append((health.crashes, health.last_crash))

    supervisor = Supervisor(on_crash)
    supervisor.start(TaskSpec("fragile", fragile))
    async with asyncio.timeout(30):
        await lived.wait()
    (health,) = supervisor.health
    assert (health.running, health.crashes) == (True, 2)
    assert told == [(1, "RuntimeError: life 1"), (2, "RuntimeError: life 2")]
    await supervisor.stop()
    assert not supervisor.health[0].running


async def test_a_task_that_cancels_itself_counts_as_crashed(no_delay: None) -> None:
    lives, lived = [], asyncio.Event()

    async def odd() -> None:
        lives.append(True)
        if len(lives) == 1:
            raise asyncio.CancelledError
        lived.set()

    supervisor = Supervisor()
    supervisor.start(TaskSpec("odd", odd))
    async with asyncio.timeout(30):
        await lived.wait()
        await supervisor.ended(["odd"], 30)
    assert supervisor.health[0].crashes == 1


async def test_a_report_that_fails_does_not_keep_the_task_down(no_delay: None) -> None:
    lives, lived = [], asyncio.Event()

    async def fragile() -> None:
        lives.append(True)
        if len(lives) == 1:
            raise RuntimeError("once")
        lived.set()

    async def on_crash(_health: TaskHealth) -> None:
        raise OSError("the disk is full")

    supervisor = Supervisor(on_crash)
    supervisor.start(TaskSpec("fragile", fragile))
    async with asyncio.timeout(30):
        await lived.wait()
    await supervisor.stop()


async def test_a_task_that_ends_is_not_started_again() -> None:
    lives = []

    async def brief() -> None:
        lives.append(True)

    supervisor = Supervisor()
    supervisor.start(TaskSpec("brief", brief))
    async with asyncio.timeout(30):
        await supervisor.ended(["brief"], 30)
    assert lives == [True]
    assert not supervisor.health[0].running


async def test_only_the_named_tasks_are_stopped() -> None:
    never = asyncio.Event()
    supervisor = Supervisor()
    supervisor.start(TaskSpec("a", until(never)))
    supervisor.start(TaskSpec("b", until(never)))
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await supervisor.stop(["a"])
        assert [h.running for h in supervisor.health] == [False, True]
        await supervisor.stop()
    assert [h.running for h in supervisor.health] == [False, False]


async def test_a_task_that_will_not_stop_does_not_hold_up_the_end() -> None:
    finish = asyncio.Event()

    async def stubborn() -> None:
        while not finish.is_set():
            try:
                await finish.wait()
            except asyncio.CancelledError:
                continue

    supervisor = Supervisor()
    supervisor.start(TaskSpec("stubborn", stubborn))
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await supervisor.stop(deadline_s=0.05)
        finish.set()
        await supervisor.ended(["stubborn"], 30)
