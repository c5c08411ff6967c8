"""Reads a device's values in one turn on its line: few requests, and what fails stays unknown."""

from collections.abc import Iterable

from firmware_bridges.errors import (
    DeviceError,
    DeviceTimeoutError,
    DeviceUnreachableError,
    MalformedReplyError,
)
from firmware_bridges.modbus.decoding import Value, decode_points
from firmware_bridges.modbus.line import Turn
from firmware_bridges.modbus.register_map import Point, RegisterMap
from firmware_bridges.modbus.requests import Read, Reply
from firmware_bridges.modbus.sunspec import Block, SunSpecBlocks, walk
from shared.measured import Measured

_ENDS_THE_TURN = (DeviceTimeoutError, DeviceUnreachableError)


class Snapshot:
    """Collects the values of one reading.

    A request that is refused or garbled leaves its own fields unknown; once the device is silent
    or unreachable nothing more is asked, and the rest is unknown for the same reason.
    """

    def __init__(self, turn: Turn, register_map: RegisterMap) -> None:
        self._turn = turn
        self._map = register_map
        self._end: DeviceError | None = None
        self._first_failure: DeviceError | None = None
        self._answered = False
        self.values: dict[str, Measured[Value]] = {}

    async def request(self, read: Read) -> Reply | DeviceError:
        """One request; a failure is given back, and remembered."""
        if self._end is not None:
            return self._end
        try:
            reply = await self._turn.request(read)
        except DeviceError as error:
            if isinstance(error, _ENDS_THE_TURN):
                self._end = error
            self._first_failure = self._first_failure or error
            return error
        self._answered = True
        return reply

    @property
    def ended(self) -> bool:
        """Whether the device fell silent, so that nothing more is asked."""
        return self._end is not None

    async def group(self, read: Read, points: Iterable[Point]) -> DeviceError | None:
        """Reads a group into `values`; gives the failure, if it failed."""
        wanted = tuple(points)
        reply = await self.request(read)
        if isinstance(reply, DeviceError):
            self.fail(wanted, reply)
            return reply
        self.values |= decode_points(wanted, reply, self._map)
        return None

    def fail(self, points: Iterable[Point], error: DeviceError) -> None:
        """Marks the fields as unread."""
        self.values |= {point.field: error.unknown() for point in points}

    def raise_if_nothing_was_read(self) -> None:
        """Raises the first failure when no request was answered."""
        if self._first_failure is not None and not self._answered:
            raise self._first_failure


class RegisterReader:
    """What is kept between readings: groups read once, and where the SunSpec blocks are."""

    def __init__(self, register_map: RegisterMap) -> None:
        self._map = register_map
        self._kept: dict[str, dict[str, Measured[Value]]] = {}
        self._blocks: SunSpecBlocks | None = None

    def forget(self) -> None:
        """The device may have been restarted or exchanged: read everything anew."""
        self._kept.clear()
        self._blocks = None

    async def read(self, snapshot: Snapshot) -> None:
        """Fills the snapshot with everything the map has."""
        for group in self._map.groups:
            if group.name in self._kept:
                snapshot.values |= self._kept[group.name]
                continue
            asked = not snapshot.ended
            read = Read(group.table, group.address, group.count)
            failure = await snapshot.group(read, group.points)
            # A device that does not have such a group, or hangs on it, is not asked for it every
            # time; noise on the line is no answer to keep.
            if group.once and asked and not isinstance(failure, MalformedReplyError):
                self._keep(group.name, group.points, snapshot)
        if self._map.sunspec is not None:
            await self._read_sunspec(snapshot)

    def _keep(self, name: str, points: tuple[Point, ...], snapshot: Snapshot) -> None:
        self._kept[name] = {point.field: snapshot.values[point.field] for point in points}

    async def _read_sunspec(self, snapshot: Snapshot) -> None:
        layout = self._map.sunspec
        if layout is None:
            return
        blocks = self._blocks or await self._find_blocks(snapshot)
        if isinstance(blocks, DeviceError):
            snapshot.fail((*layout.common.points, *layout.meter.points), blocks)
            return
        self._blocks = blocks
        if "common" in self._kept:
            snapshot.values |= self._kept["common"]
        elif blocks.common is not None and await self._read_block(
            snapshot, blocks.common, layout.common.points
        ):
            self._keep("common", layout.common.points, snapshot)
        await self._read_block(snapshot, blocks.meter, layout.meter.points)

    async def _read_block(
        self, snapshot: Snapshot, block: Block, points: tuple[Point, ...]
    ) -> bool:
        reply = await snapshot.request(block.read())
        if not isinstance(reply, DeviceError) and not block.heads(reply):
            self.forget()
            reply = MalformedReplyError(f"model {block.model} is no longer at {block.address}")
        if isinstance(reply, DeviceError):
            snapshot.fail(points, reply)
            return False
        snapshot.values |= decode_points(points, reply, self._map)
        return True

    async def _find_blocks(self, snapshot: Snapshot) -> SunSpecBlocks | DeviceError:
        layout = self._map.sunspec
        if layout is None:
            raise ValueError("a map without sunspec has no blocks")
        search = walk(layout)
        try:
            read = next(search)
            while True:
                reply = await snapshot.request(read)
                read = search.throw(reply) if isinstance(reply, DeviceError) else search.send(reply)
        except StopIteration as found:
            blocks: SunSpecBlocks = found.value
            return blocks
        except DeviceError as error:
            return error
