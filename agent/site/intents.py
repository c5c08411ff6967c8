"""Device writes as they are written down: an intent first, its outcome afterwards."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from agent.buffer import rows
from agent.site.lockout import first_lock
from shared.messages import cbor
from shared.messages.actions import Reboot, SetSetpoint, SwitchOutlet, decode_action
from shared.messages.event import Event, EventKind, Severity
from shared.setpoints import energises, setpoint_to_data

DeviceAction: TypeAlias = SetSetpoint | Reboot | SwitchOutlet

KEEP_MS = 30 * 86_400_000


class IntentState(StrEnum):
    """Where a write stands."""

    OPEN = "open"
    APPLIED = "applied"
    DONE = "done"
    UNVERIFIED = "unverified"
    FAILED = "failed"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Order:
    """A write that is asked for: what, why, until when it may begin (business time).

    `locked_by` names the devices of which a lock forbids it: its own, or what its outlet feeds.
    """

    action: DeviceAction
    cause: str
    expires_ms: int
    locked_by: frozenset[str] = frozenset()
    held_until_ms: int | None = None

    @property
    def energises(self) -> bool:
        """Whether it may make a device draw power."""
        return action_energises(self.action)


@dataclass(frozen=True, slots=True)
class Intent:
    """A write that is written down."""

    id: int
    action: DeviceAction
    cause: str
    created_ms: int
    expires_ms: int
    state: IntentState


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a write ended; `readback` is what was read afterwards by metric name."""

    state: IntentState
    problem: str = ""
    text: str = ""
    readback: Mapping[str, Any] = field(default_factory=dict)


def action_energises(action: DeviceAction) -> bool:
    """Whether an action may make a device draw power; a reboot may."""
    match action:
        case SetSetpoint():
            return energises(action.setpoint)
        case SwitchOutlet():
            return action.closed
        case Reboot():
            return True


def begin(
    connection: sqlite3.Connection, orders: Sequence[Order], now_ms: int
) -> list[Intent | Outcome]:
    """Writes an intent for each order; an outcome instead where a lock forbids it.

    To be run inside a transaction: this is where a lock-out stops what energises, whoever asks.
    """
    begun: list[Intent | Outcome] = []
    for order in orders:
        lock = first_lock(connection, order.locked_by) if order.energises else None
        if lock is not None:
            begun.append(Outcome(IntentState.ABANDONED, "locked_out", str(lock)))
            continue
        cursor = connection.execute(
            "INSERT INTO intents (device, action, params, energises, cause, created_ms, expires_ms,"
            " state, changed_ms) VALUES (?, ?, ?, ?, ?, ?, ?, 'open', ?)",
            (
                order.action.device,
                order.action.name,
                cbor.encode(order.action.to_params()),
                int(order.energises),
                order.cause,
                now_ms,
                order.expires_ms,
                now_ms,
            ),
        )
        if order.held_until_ms is not None:
            _hold(connection, order.action.device, order.held_until_ms)
        begun.append(
            Intent(
                int(cursor.lastrowid or 0),
                order.action,
                order.cause,
                now_ms,
                order.expires_ms,
                IntentState.OPEN,
            )
        )
    return begun


def applied(connection: sqlite3.Connection, intent: Intent, now_ms: int) -> None:
    """The device took the write; what it was told is what it is taken to follow."""
    connection.execute(
        "UPDATE intents SET state = 'applied', changed_ms = ? WHERE id = ? AND state = 'open'",
        (now_ms, intent.id),
    )


def finish(connection: sqlite3.Connection, intent: Intent, outcome: Outcome, now_ms: int) -> None:
    """Ends an intent once, with the event that tells of it."""
    changed = connection.execute(
        "UPDATE intents SET state = ?, detail = ?, changed_ms = ? "
        "WHERE id = ? AND state IN ('open', 'applied')",
        (outcome.state.value, outcome.text, now_ms, intent.id),
    ).rowcount
    if changed:
        rows.insert_event(connection, now_ms, write_event(intent, outcome).encode())


def write_event(intent: Intent, outcome: Outcome) -> Event:
    """The event of a write's end."""
    data: dict[str, Any] = {
        "action": intent.action.name,
        "cause": intent.cause,
        "intent": intent.id,
        "outcome": outcome.state.value,
        "problem": outcome.problem,
        "readback": dict(outcome.readback),
        "text": outcome.text,
    }
    match intent.action:
        case SetSetpoint(_, setpoint):
            data["setpoint"] = setpoint_to_data(setpoint)
        case SwitchOutlet(_, outlet, closed):
            data |= {"closed": closed, "outlet": outlet}
        case Reboot():
            pass
    bad = outcome.state is not IntentState.DONE
    severity = Severity.WARNING if bad else Severity.INFO
    return Event(EventKind.WRITE, severity, data, intent.action.device)


_COLUMNS = "id, action, params, cause, created_ms, expires_ms, state"


def open_intents(connection: sqlite3.Connection) -> tuple[Intent, ...]:
    """What a crash left unfinished, oldest first."""
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM intents WHERE state IN ('open', 'applied') ORDER BY id"  # noqa: S608 - columns
    )
    return tuple(_intent(row) for row in found)


def newest_of_cause(connection: sqlite3.Connection, cause: str) -> tuple[Intent, str] | None:
    """The newest intent of a cause, with the detail of its end; None when there is none."""
    row = connection.execute(
        f"SELECT {_COLUMNS}, detail FROM intents WHERE cause = ? ORDER BY id DESC LIMIT 1",  # noqa: S608 - columns
        (cause,),
    ).fetchone()
    return None if row is None else (_intent(row), row[7])


def _intent(row: Sequence[Any]) -> Intent:
    number, name, params, cause, created_ms, expires_ms, state = row[:7]
    action = decode_action(name, cbor.expect_map(cbor.decode(params), "params"))
    return Intent(number, action, cause, created_ms, expires_ms, IntentState(state))


def prune(connection: sqlite3.Connection, now_ms: int) -> int:
    """Forgets ended intents that are older than a month; their events stay where they are."""
    return connection.execute(
        "DELETE FROM intents WHERE changed_ms < ? AND state NOT IN ('open', 'applied')",
        (now_ms - KEEP_MS,),
    ).rowcount


def _hold(connection: sqlite3.Connection, device: str, until_ms: int) -> None:
    connection.execute(
        "INSERT INTO device_state (device, held_until_ms) VALUES (?, ?) "
        "ON CONFLICT (device) DO UPDATE SET held_until_ms = excluded.held_until_ms",
        (device, until_ms),
    )
