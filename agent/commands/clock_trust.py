"""Whether the times of a command mean anything: has the wall clock been set behind our back?

The rule, decided once: a wall clock that moved against the monotonic one is not trusted for
commands until it is known to be synchronised or has come back to where the monotonic clock puts it.
A step made by a time daemon that then says "synchronised" costs nothing; a clock that somebody set,
or that a dead battery reset, stops commands from afar (local decisions go on). The anchor is kept
in the database for one boot of the host, so that a restart of the agent does not forget a jump. A
host without time synchronisation whose clock was set for good gets its trust back by a reboot.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from agent.clock import JUMP_TOLERANCE_MS, Clock, ClockReading, clock_jump_ms, read_clocks
from agent.commands.judge import Moment
from agent.database import Database
from shared.errors import BadInputError
from shared.messages import cbor

BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")
_KEY = "clock_anchor"
_SLEW_PPM = 500
"""The most that adjtimex(2) slews a clock."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Trust:
    """The last reading at which the clock was right, and whether it has jumped since."""

    anchor: ClockReading
    jumped: bool = False


def step(
    trust: Trust, reading: ClockReading, rate: float, synchronised: Callable[[], bool | None]
) -> Trust:
    """The trust after a reading of both clocks; `rate` is business time's. Pure but for asking
    `synchronised`, which it does only where the clock is off its anchor."""
    elapsed_s = max(0.0, reading.monotonic_s - trust.anchor.monotonic_s)
    tolerance_ms = JUMP_TOLERANCE_MS + round(elapsed_s * 1000 * _SLEW_PPM / 1_000_000)
    runs_on = clock_jump_ms(trust.anchor, reading, rate, tolerance_ms) is None
    if runs_on or synchronised() is True:
        return Trust(reading)
    return Trust(trust.anchor, jumped=True)


@dataclass(frozen=True, slots=True)
class HostBoot:
    """Where an anchor is valid: one boot of the host and one scale of business time."""

    boot_id: str
    rate: float
    origin_ms: int


def read_boot_id(file: Path = BOOT_ID_FILE) -> str:
    """The kernel's id of this boot; "" where it cannot be told."""
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


class ClockTrust:
    """Gives commands their moment. Use from one event loop only."""

    def __init__(
        self,
        clock: Clock,
        boot: HostBoot,
        synchronised: Callable[[], bool | None],
        tolerance_ms: int,
        trust: Trust,
    ) -> None:
        self._clock = clock
        self._boot = boot
        self._synchronised = synchronised
        self._tolerance_ms = tolerance_ms
        self._trust = trust

    @classmethod
    async def open(
        cls,
        database: Database,
        clock: Clock,
        boot: HostBoot,
        synchronised: Callable[[], bool | None],
        tolerance_ms: int = 0,
    ) -> "ClockTrust":
        """Takes up the anchor of an earlier life in the same boot, if there is one."""
        now = ClockReading(clock.now_ms(), clock.monotonic_s())
        kept = await database.read(lambda conn: load_anchor(conn, boot))
        return cls(clock, boot, synchronised, tolerance_ms, Trust(kept or now))

    @property
    def jumped(self) -> bool:
        """Whether commands are refused for the clock's sake."""
        return self._trust.jumped

    def moment(self) -> Moment:
        """Now, and whether to believe it."""
        reading = read_clocks(self._clock)
        if reading is None:
            trusted = not self._trust.jumped
            return Moment(self._clock.now_ms(), trusted, self._tolerance_ms)
        before, self._trust = (
            self._trust,
            step(self._trust, reading, self._boot.rate, self._synchronised),
        )
        if self._trust.jumped and not before.jumped:
            log.error("the clock jumped and is not synchronised; commands are refused")
        return Moment(reading.now_ms, not self._trust.jumped, self._tolerance_ms)

    async def keep(self, database: Database) -> None:
        """Looks at the clocks and writes the anchor down for the next life of the agent."""
        if self.moment().clock_trusted and self._boot.boot_id:
            anchor, boot = self._trust.anchor, self._boot
            await database.write(lambda conn: save_anchor(conn, boot, anchor))


def save_anchor(conn: sqlite3.Connection, boot: HostBoot, anchor: ClockReading) -> None:
    """Keeps an anchor; inside a transaction of the caller's."""
    value = [boot.boot_id, boot.rate, boot.origin_ms, anchor.now_ms, anchor.monotonic_s]
    conn.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (_KEY, cbor.encode(value)),
    )


def load_anchor(conn: sqlite3.Connection, boot: HostBoot) -> ClockReading | None:
    """The anchor that was kept in this boot and scale; None when there is none."""
    row = conn.execute("SELECT value FROM meta WHERE key = ?", (_KEY,)).fetchone()
    if row is None or not boot.boot_id:
        return None
    match cbor.decode(row[0], "clock_anchor"):
        case [str(boot_id), int() | float() as rate, int(origin_ms), int(now_ms), float(at_s)]:
            same = HostBoot(boot_id, rate, origin_ms) == boot
            return ClockReading(now_ms, at_s) if same else None
    raise BadInputError("clock_anchor", "not of the form", "what save_anchor wrote")
