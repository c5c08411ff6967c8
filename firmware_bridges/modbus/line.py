"""A line that several devices share: an RS-485 bus, or one TCP connection to a gateway.

One request at a time, one turn a device, each turn with a deadline of its own. The deadline runs
from the moment a device gets the line, so that waiting for a slow neighbour costs nobody an answer.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from firmware_bridges.errors import DeviceTimeoutError
from firmware_bridges.modbus.requests import Reply, Request, parse_reply
from firmware_bridges.modbus.turns import Silence, Waiting, after_miss, held_back_s, next_turn


class Link(Protocol):
    """Carries one request at a time; times are the event loop's."""

    async def exchange(self, unit: int, request: Request, until_s: float) -> bytes:
        """Sends and gives the reply's PDU; raises `DeviceError`."""
        ...

    def close(self) -> None:
        """Releases the port or connection; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Terms:
    """Longest time on the line, and longest wait for it, in seconds."""

    deadline_s: float
    queue_wait_s: float


class Turn:
    """The right to use the line until the deadline."""

    def __init__(self, link: Link, unit: int, began_s: float, until_s: float) -> None:
        self._link = link
        self._unit = unit
        self._began_s = began_s
        self._until_s = until_s
        self.answered = False
        self.timed_out = False

    async def request(self, request: Request) -> Reply:
        """One request and its checked reply; raises `DeviceError`."""
        try:
            pdu = await self._link.exchange(self._unit, request, self._until_s)
            self.answered = True
            return parse_reply(request, pdu)
        except DeviceTimeoutError:
            self.timed_out = True
            raise
        except asyncio.CancelledError:
            # A caller may lose patience before our deadline. That is silence too, unless most of
            # its patience went into waiting for the line.
            now_s = asyncio.get_running_loop().time()
            self.timed_out = now_s - self._began_s >= (self._until_s - self._began_s) / 2
            raise


class Line:
    """The queue of one line. All methods belong to one event loop."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._units: Counter[int] = Counter()
        self._silences: dict[int, Silence] = {}
        self._waiting: dict[int, tuple[Waiting, asyncio.Future[None]]] = {}
        self._busy = False
        self._number = 0

    def join(self, unit: int) -> None:
        """A device at `unit` will use the line."""
        self._units[unit] += 1

    def leave(self, unit: int) -> bool:
        """A device is gone; True when it was the last, and the link is closed."""
        self._units -= Counter([unit])
        if unit not in self._units:
            self._silences.pop(unit, None)
        if self._units:
            return False
        self._link.close()
        return True

    @asynccontextmanager
    async def turn(self, unit: int, terms: Terms, *, urgent: bool = False) -> AsyncIterator[Turn]:
        """Waits for the line and holds it.

        Raises `DeviceTimeoutError` without sending anything when the slave is held back after
        silence (unless `urgent`), or when the line was not free in `terms.queue_wait_s`.
        """
        loop = asyncio.get_running_loop()
        held_s = held_back_s(self._silences.get(unit), loop.time())
        if held_s > 0 and not urgent and len(self._units) > 1:
            raise DeviceTimeoutError(f"silent before; asked again in {held_s:.1f} s")
        await self._take(unit, terms.queue_wait_s, urgent=urgent)
        began_s = loop.time()
        turn = Turn(self._link, unit, began_s, began_s + terms.deadline_s)
        try:
            yield turn
        finally:
            self._note(unit, turn, terms.deadline_s, loop.time())
            self._release()

    def _note(self, unit: int, turn: Turn, deadline_s: float, now_s: float) -> None:
        if turn.timed_out:
            self._silences[unit] = after_miss(
                self._silences.get(unit), deadline_s, now_s, answered_before=turn.answered
            )
        elif turn.answered:
            self._silences.pop(unit, None)

    async def _take(self, unit: int, queue_wait_s: float, *, urgent: bool) -> None:
        if not self._busy:
            self._busy = True
            return
        loop = asyncio.get_running_loop()
        self._number += 1
        number = self._number
        granted: asyncio.Future[None] = loop.create_future()
        self._waiting[number] = (Waiting(number, unit, loop.time(), urgent), granted)
        try:
            async with asyncio.timeout(queue_wait_s):
                await granted
        except TimeoutError as error:
            self._give_up(number, granted)
            raise DeviceTimeoutError(f"the line was not free for {queue_wait_s:g} s") from error
        except asyncio.CancelledError:
            self._give_up(number, granted)
            raise

    def _give_up(self, number: int, granted: "asyncio.Future[None]") -> None:
        self._waiting.pop(number, None)
        if granted.done() and not granted.cancelled():
            self._release()  # the line was handed over in the moment of giving up

    def _release(self) -> None:
        chosen = next_turn((waiting for waiting, _ in self._waiting.values()), self._silences)
        if chosen is None:
            self._busy = False
            return
        _, granted = self._waiting.pop(chosen.number)
        if granted.cancelled():
            self._release()
        else:
            granted.set_result(None)
