"""One lane a device."""

import asyncio
from collections.abc import Awaitable, Callable

from agent.commands.lanes import Lanes


async def test_jobs_of_one_lane_run_in_order_and_lanes_beside_each_other() -> None:
    lanes, order, gate, b1_ran = Lanes(), [], asyncio.Event(), asyncio.Event()

    def job(name: str, wait: bool) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            if wait:
                await gate.wait()
            order.append(name)
            if name == "b1":
                b1_ran.set()

        return run

    lanes.submit("a", job("a1", wait=True))
    lanes.submit("a", job("a2", wait=False))
    lanes.submit("b", job("b1", wait=False))
    async with asyncio.timeout(30):
        await b1_ran.wait()
        assert order == ["b1"]
        gate.set()
        await lanes.idle()
    assert order == ["b1", "a1", "a2"]


async def test_a_crash_is_counted_and_the_lane_goes_on() -> None:
    lanes, done = Lanes(), []

    async def crash() -> None:
        raise RuntimeError("a bug")

    async def fine() -> None:
        done.append(True)

    lanes.submit("a", crash)
    lanes.submit("a", fine)
    async with asyncio.timeout(30):
        await lanes.idle()
    assert (lanes.crashes, done) == (1, [True])


async def test_closing_cuts_off_what_acts_and_begins_nothing_that_waits() -> None:
    lanes, begun, cut, hangs = Lanes(), [], [], asyncio.Event()

    async def hang() -> None:
        begun.append("hang")
        hangs.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cut.append(True)
            raise

    async def waits() -> None:
        begun.append("waits")

    lanes.submit("a", hang)
    lanes.submit("a", waits)
    async with asyncio.timeout(30):
        await hangs.wait()
        await lanes.close(grace_s=0.01)
        lanes.submit("a", waits)
        await lanes.idle()
    assert (begun, cut) == (["hang"], [True])
