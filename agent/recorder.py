"""The way in: snapshots of devices and events, accepted once they are committed."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from agent.buffer import rows
from agent.buffer.births import (
    Declared,
    DeviceDescription,
    Identity,
    Registry,
    check_devices,
    known_metrics,
    register,
)
from agent.buffer.rows import NewRow
from agent.buffer.values import Values, body_of, polled
from agent.clock import Clock
from agent.database import Database, StorageFullError
from firmware_bridges.metrics import Metric
from shared.errors import BadInputError
from shared.messages.cbor import expect_int
from shared.messages.event import Event, EventKind, Severity

__all__ = ["DeviceDescription", "Identity", "Recorder"]

log = structlog.get_logger(__name__)

MOST_HELD = 1_000
"""Snapshots kept in memory while the disk is full."""

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class _Snapshot:
    device: str
    time_ms: int
    values: Values


@dataclass(slots=True)
class _Refused:
    """Snapshots that were refused since the last report of them."""

    count: int = 0
    from_ms: int = 0
    to_ms: int = 0

    def add(self, time_ms: int) -> None:
        self.from_ms = min(self.from_ms, time_ms) if self.count else time_ms
        self.to_ms = max(self.to_ms, time_ms) if self.count else time_ms
        self.count += 1


class Recorder:
    """See the module. Made by `open`; belongs to the database's event loop."""

    def __init__(
        self, database: Database, clock: Clock, declared: Declared, registry: Registry
    ) -> None:
        self._database = database
        self._clock = clock
        self._declared = declared
        self._registry = registry
        self._registering = asyncio.Lock()
        self._wanted: dict[str, Metric] = {}
        self._held: deque[_Snapshot] = deque()
        self._refused = _Refused()
        self.accepted = 0
        """Snapshots accepted since this process started."""
        self.make_room: Callable[[], Awaitable[bool]] | None = None
        """Asked when the disk is full; True when room was made and a write is worth trying."""

    @classmethod
    async def open(cls, database: Database, clock: Clock, identity: Identity) -> "Recorder":
        """A recorder that knows the aliases of the database; `declare` makes its first birth."""
        metrics = await database.read(known_metrics)
        declared = Declared(identity, database.streams)
        return cls(database, clock, declared, Registry(metrics=metrics))

    @property
    def birth(self) -> int:
        """The number of the birth in force, 0 before `declare`."""
        return self._registry.number

    @property
    def held(self) -> int:
        """Snapshots in memory because the disk is full; not accepted."""
        return len(self._held)

    @property
    def refused(self) -> int:
        """Snapshots refused, and not yet reported as such, because the disk is full."""
        return self._refused.count

    async def declare(self, devices: Sequence[DeviceDescription]) -> None:
        """Sets the node's devices; a new birth unless they are as they were.

        `BadInputError` for a name given twice or more devices than a birth can hold.
        """
        await self._redeclare(replace(self._declared, devices=check_devices(devices)))

    async def set_hashes(self, hashes: Mapping[str, str]) -> None:
        """Sets the SHA-256 of the models and policies in force; a new birth if they changed."""
        await self._redeclare(replace(self._declared, hashes=dict(hashes)))

    async def snapshot(self, device: str, time_ms: int, metrics: Values) -> bool:
        """Records one snapshot of a declared device; True once it is accepted (committed).

        A value that is `Unknown(NOT_REPORTED)` is left out. While the disk is full and nothing
        can be thinned, the snapshot is held in memory (up to `MOST_HELD`) and recorded when space
        returns, beyond that refused and counted in an event later: False, it is not accepted.
        `BadInputError` when the device is not declared or the snapshot is too large.
        """
        snapshot = _Snapshot(device, expect_int(time_ms, "time_ms"), polled(metrics))
        if device not in self._registry.devices:
            raise BadInputError("device", repr(device)[:80], "a declared device")
        if self._held:
            self._hold(snapshot)
            return False
        try:
            await self._with_room(lambda: self._store(snapshot))
        except StorageFullError:
            self._hold(snapshot)
            return False
        return True

    async def event(self, event: Event, time_ms: int | None = None) -> int:
        """Records an event; its number in the event stream, once it is committed.

        `BadInputError` when it is too large, `StorageFullError` when the disk is full and nothing
        can be thinned: then it is not recorded.
        """
        body = event.encode()
        moment = self._clock.now_ms() if time_ms is None else expect_int(time_ms, "time_ms")
        return await self._with_room(
            lambda: self._database.write(lambda c: rows.insert_event(c, moment, body))
        )

    def event_in(self, connection: sqlite3.Connection, event: Event, time_ms: int) -> int:
        """Records an event inside a function given to `Database.write`; its number.

        It commits, or not, together with whatever else that function writes.
        """
        return rows.insert_event(connection, expect_int(time_ms, "time_ms"), event.encode())

    async def release_held(self) -> bool:
        """Records what was held while the disk was full, then what was refused; True when done.

        To be called again while it returns False.
        """
        while self._held:
            try:
                await self._store(self._held[0])
            except StorageFullError:
                return False
            except BadInputError as error:
                log.warning("a held snapshot was dropped", error=str(error))
                self._refused.add(self._held[0].time_ms)
            self._held.popleft()
        return await self._report_refused()

    async def _report_refused(self) -> bool:
        refused, self._refused = self._refused, _Refused()
        if refused.count == 0:
            return True
        data = {
            "what": "snapshots_refused",
            "count": refused.count,
            "from_ms": refused.from_ms,
            "to_ms": refused.to_ms,
            "reason": "disk full",
        }
        try:
            await self.event(Event(EventKind.AGENT, Severity.CRITICAL, data))
        except StorageFullError:
            late, self._refused = self._refused, refused
            if late.count:
                self._refused = _Refused(
                    refused.count + late.count,
                    min(refused.from_ms, late.from_ms),
                    max(refused.to_ms, late.to_ms),
                )
            return False
        return True

    def _hold(self, snapshot: _Snapshot) -> None:
        if len(self._held) < MOST_HELD:
            self._held.append(snapshot)
        else:
            self._refused.add(snapshot.time_ms)

    async def _with_room(self, write: Callable[[], Awaitable[int]]) -> int:
        try:
            return await write()
        except StorageFullError:
            if self.make_room is None or not await self.make_room():
                raise
            return await write()

    async def _store(self, snapshot: _Snapshot) -> int:
        """Writes a snapshot under the birth in force, again if that was dropped meanwhile."""
        for _ in range(_ATTEMPTS):
            registry = await self._knowing(snapshot.values)
            alias = registry.devices.get(snapshot.device)
            if alias is None:
                raise BadInputError("device", repr(snapshot.device)[:80], "a declared device")
            row = NewRow(
                registry.number,
                snapshot.time_ms,
                alias,
                body_of(snapshot.values, registry.metrics),
            )
            try:
                seq = await self._database.write(row.insert)
            except sqlite3.IntegrityError:
                continue
            self.accepted += 1
            return seq
        raise BadInputError("device", f"declared anew {_ATTEMPTS} times meanwhile", "fewer births")

    async def _knowing(self, values: Values) -> Registry:
        """The registry, extended first by the metrics of these values that it lacks."""
        for _ in range(_ATTEMPTS):
            if not self._lacks(values):
                return self._registry
            async with self._registering:
                if self._lacks(values):
                    added, self._wanted = list(self._wanted.values()), {}
                    await self._register(self._declared, added)
        raise BadInputError("metrics", "a name with two types", "one type and unit a name")

    def _lacks(self, values: Values) -> bool:
        """Whether a metric has no alias yet; notes it, so that one birth tells of all such."""
        lacking = [m for m, _ in values if m not in self._registry.metrics]
        self._wanted.update((metric.name, metric) for metric in lacking)
        return bool(lacking)

    async def _redeclare(self, declared: Declared) -> None:
        async with self._registering:
            if declared == self._declared and self._registry.number:
                return
            await self._register(declared)
            self._declared = declared

    async def _register(self, declared: Declared, added: Sequence[Metric] = ()) -> None:
        known = self._registry.metrics
        self._registry = await self._database.write(lambda c: register(c, declared, known, added))
