"""What the agent remembers of devices over a restart: SQLite rows and back."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from agent.site.fleet import Fleet, Unit
from agent.site.observation import AlarmCode
from shared.messages import cbor
from shared.setpoints import setpoint_from_data, setpoint_to_data


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of one device; the setpoint as CBOR."""

    device: str
    setpoint: bytes | None
    since_ms: int | None
    cause: str


def memory_of(unit: Unit) -> Memory:
    """What is to be remembered of a device now."""
    setpoint = None if unit.told is None else cbor.encode(setpoint_to_data(unit.told))
    return Memory(unit.name, setpoint, unit.since_ms, unit.cause)


def keep(connection: sqlite3.Connection, memory: Memory) -> None:
    """Writes what a device was told, since when, and why."""
    connection.execute(
        "INSERT INTO device_state (device, setpoint, since_ms, cause) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (device) DO UPDATE SET setpoint = excluded.setpoint, "
        "since_ms = excluded.since_ms, cause = excluded.cause",
        (memory.device, memory.setpoint, memory.since_ms, memory.cause),
    )


def keep_alarms(
    connection: sqlite3.Connection, device: str, codes: Iterable[AlarmCode], now_ms: int
) -> None:
    """Writes which alarms of a device are raised."""
    wanted = {code.value for code in codes}
    for (code,) in connection.execute(
        "SELECT code FROM alarms WHERE device = ?", (device,)
    ).fetchall():
        if code not in wanted:
            connection.execute("DELETE FROM alarms WHERE device = ? AND code = ?", (device, code))
    connection.executemany(
        "INSERT INTO alarms VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(device, code, now_ms) for code in sorted(wanted)],
    )


def alarms(connection: sqlite3.Connection) -> dict[str, frozenset[AlarmCode]]:
    """The raised alarms by device; codes of another version are left where they are."""
    found: dict[str, set[AlarmCode]] = {}
    for device, code in connection.execute("SELECT device, code FROM alarms"):
        if code in set(AlarmCode):
            found.setdefault(device, set()).add(AlarmCode(code))
    return {device: frozenset(codes) for device, codes in found.items()}


def recall(connection: sqlite3.Connection, fleet: Fleet) -> None:
    """Gives every device what is remembered of it."""
    raised = alarms(connection)
    for name, setpoint, since_ms, held_until_ms, cause in connection.execute(
        "SELECT device, setpoint, since_ms, held_until_ms, cause FROM device_state"
    ):
        unit = fleet.units.get(name)
        if unit is None:
            continue
        if setpoint is not None:
            unit.told = setpoint_from_data(cbor.expect_map(cbor.decode(setpoint), "setpoint"))
        unit.since_ms, unit.held_until_ms, unit.cause = since_ms, held_until_ms, cause
    for name, unit in fleet.units.items():
        unit.alarms = raised.get(name, frozenset())
