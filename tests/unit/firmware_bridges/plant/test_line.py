"""The queue of a line, over a link that the test holds."""

import asyncio

import pytest

from firmware_bridges.errors import DeviceTimeoutError
from firmware_bridges.modbus.line import Line, Terms, Turn
from firmware_bridges.modbus.register_map import Table
from firmware_bridges.modbus.requests import Read, Request

READ = Read(Table.HOLDING, 0, 1)
REPLY = b"\x03\x02\x00\x2a"
TERMS = Terms(deadline_s=60.0, queue_wait_s=60.0)


class HeldLink:
    """Answers when told to; notes who was on the line."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.on_line = 0
        self.most_on_line = 0
        self.closed = False
        self.free = asyncio.Event()
        self.silent: set[int] = set()

    async def exchange(self, unit: int, request: Request, until_s: float) -> bytes:
        assert request == READ
        assert until_s > asyncio.get_running_loop().time()
        self.asked.append(unit)
        self.on_line += 1
        self.most_on_line = max(self.most_on_line, self.on_line)
        try:
            await self.free.wait()
            if unit in self.silent:
                raise DeviceTimeoutError("silent")
            return REPLY
        finally:
            self.on_line -= 1

    def close(self) -> None:
        self.closed = True


async def ask(
    line: Line, unit: int, terms: Terms = TERMS, *, urgent: bool = False
) -> tuple[int, ...]:
    async with line.turn(unit, terms, urgent=urgent) as turn:
        return await turn.request(READ)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def shared_line(link: HeldLink) -> Line:
    line = Line(link)
    for unit in (1, 2, 3, 4):
        line.join(unit)
    return line


async def test_one_device_is_on_the_line_at_a_time_in_order_of_arrival() -> None:
    link = HeldLink()
    line = shared_line(link)
    asking = [asyncio.create_task(ask(line, unit)) for unit in (3, 1, 2, 4)]
    await settle()
    assert link.asked == [3]
    link.free.set()
    assert await asyncio.gather(*asking) == [(42,)] * 4
    assert link.asked == [3, 1, 2, 4]
    assert link.most_on_line == 1


async def test_a_write_goes_before_readings_that_wait() -> None:
    link = HeldLink()
    line = shared_line(link)
    asking = [asyncio.create_task(ask(line, unit)) for unit in (1, 2, 3)]
    await settle()
    asking.append(asyncio.create_task(ask(line, 4, urgent=True)))
    await settle()
    link.free.set()
    await asyncio.gather(*asking)
    assert link.asked == [1, 4, 2, 3]


async def test_a_caller_that_gives_up_in_the_queue_leaves_the_line_to_others() -> None:
    link = HeldLink()
    line = shared_line(link)
    first, second, third = (asyncio.create_task(ask(line, unit)) for unit in (1, 2, 3))
    await settle()
    second.cancel()
    await settle()
    link.free.set()
    await asyncio.gather(first, third)
    assert link.asked == [1, 3]


async def test_a_caller_that_gives_up_on_the_line_leaves_it_to_others() -> None:
    link = HeldLink()
    line = shared_line(link)
    first, second = (asyncio.create_task(ask(line, unit)) for unit in (1, 2))
    await settle()
    first.cancel()
    await settle()
    assert link.asked == [1, 2]
    link.free.set()
    assert await second == (42,)


async def test_a_caller_cancelled_as_its_turn_comes_passes_it_on() -> None:
    link = HeldLink()
    line = shared_line(link)
    first, second, third = (asyncio.create_task(ask(line, unit)) for unit in (1, 2, 3))
    await settle()
    first.cancel()
    await asyncio.sleep(0)  # the first has left and handed the line to the second
    second.cancel()
    await settle()
    link.free.set()
    assert await third == (42,)
    assert link.asked[-1] == 3


async def test_a_line_that_is_never_free_is_a_timeout() -> None:
    link = HeldLink()
    line = shared_line(link)
    first = asyncio.create_task(ask(line, 1))
    await settle()
    with pytest.raises(DeviceTimeoutError, match="the line was not free"):
        await ask(line, 2, Terms(60.0, 0.01))
    link.free.set()
    assert await first == (42,)
    assert await ask(line, 3) == (42,)


async def test_a_silent_slave_is_not_asked_again_at_once() -> None:
    link = HeldLink()
    link.free.set()
    link.silent = {1}
    line = shared_line(link)
    for _ in range(3):
        with pytest.raises(DeviceTimeoutError, match="silent"):
            await ask(line, 1)
    assert link.asked == [1]


async def test_a_write_that_was_ordered_is_tried_on_a_silent_slave() -> None:
    link = HeldLink()
    link.free.set()
    link.silent = {1}
    line = shared_line(link)
    with pytest.raises(DeviceTimeoutError):
        await ask(line, 1)
    link.silent = set()
    assert await ask(line, 1, urgent=True) == (42,)
    assert await ask(line, 1) == (42,)


async def test_a_slave_that_has_the_line_to_itself_is_always_asked() -> None:
    link = HeldLink()
    link.free.set()
    link.silent = {1}
    line = Line(link)
    line.join(1)
    for _ in range(2):
        with pytest.raises(DeviceTimeoutError):
            await ask(line, 1)
    assert link.asked == [1, 1]


@pytest.mark.parametrize(("waited_s", "silent"), [(60.0, True), (0.0, False)])
async def test_a_caller_s_lost_patience_is_silence_when_it_waited_for_the_slave(
    waited_s: float, *, silent: bool
) -> None:
    link = HeldLink()
    now_s = asyncio.get_running_loop().time()
    turn = Turn(link, 1, now_s - waited_s, now_s + 60.0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await turn.request(READ)
    assert turn.timed_out is silent
    assert link.on_line == 0


async def test_the_last_device_closes_the_link() -> None:
    link = HeldLink()
    line = Line(link)
    line.join(1)
    line.join(1)
    assert not line.leave(1)
    assert not link.closed
    assert line.leave(1)
    assert link.closed
