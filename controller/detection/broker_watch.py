"""Follows mosquitto's log file: through its rotations, and on from where it was after a restart.

How far it was read and the events found there commit together, so that each line counts once.
"""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import Connection, select

from controller.clock import Clock
from controller.detection.broker_log import BrokerLogReader, Finding
from controller.detection.kinds import SecurityKind
from controller.detection.report import report
from controller.storage.engine import Storage
from controller.storage.tables import log_positions
from controller.storage.upsert import upsert

_Facts = tuple[tuple[str, str], ...]
_log = structlog.get_logger()
CHUNK_BYTES = 1 << 20
MOST_BEHIND_BYTES = 64 << 20
"""What is further behind is skipped, and said to be."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading goes on: `mark` names the file (device and inode), `offset` is in bytes."""

    mark: str
    offset: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines that were read, and the position behind them; `lost` says what was skipped."""

    lines: tuple[str, ...]
    after: Position
    more: bool
    lost: str | None = None


def read_on(path: Path, position: Position | None) -> Piece | None:
    """The next lines; None when there is no file. `OSError` when it cannot be read.

    A file that was rotated away to `NAME.1` is read to its end first.
    """
    current = _mark(path)
    if current is None:
        return None
    if position is None or position.mark == current:
        return _read(path, position or Position(current, 0))
    rotated = path.with_name(f"{path.name}.1")
    if _mark(rotated) == position.mark:
        piece = _read(rotated, position)
        return piece if piece.lines else _read(path, Position(current, 0))
    piece = _read(path, Position(current, 0))
    return Piece(piece.lines, piece.after, piece.more, "the file that was read is gone")


def _mark(path: Path) -> str | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return f"{status.st_dev}:{status.st_ino}"


def _read(path: Path, position: Position) -> Piece:
    lost = None
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        offset = position.offset
        if size < offset:
            offset, lost = 0, "the file became shorter"
        elif size - offset > MOST_BEHIND_BYTES:
            offset, lost = size - MOST_BEHIND_BYTES, f"{size - offset} bytes were waiting"
        file.seek(offset)
        content = file.read(CHUNK_BYTES)
    end = content.rfind(b"\n") + 1
    if end == 0 and len(content) == CHUNK_BYTES:
        end = CHUNK_BYTES  # no line is that long: passed over
    lines = content[:end].decode("utf-8", "replace").split("\n")[:-1] if end else []
    after = Position(position.mark, offset + end)
    return Piece(tuple(lines), after, len(content) == CHUNK_BYTES, lost)


class BrokerWatch:
    """The worker's round."""

    def __init__(self, storage: Storage, clock: Clock, path: Path, trusted: frozenset[str]) -> None:
        self._storage = storage
        self._clock = clock
        self._path = path
        self._source = str(path)[-300:]
        self._reader = BrokerLogReader(trusted)
        self._position: Position | None = None
        self._known = False

    def round(self) -> bool:
        """Reads what is there; True when there may be more at once."""
        if not self._known:
            with self._storage.read() as conn:
                self._position = _stored(conn, self._source)
            self._known = True
        try:
            piece = read_on(self._path, self._position)
        except OSError as error:
            self._tell_unreadable(error)
            return False
        if piece is None or (piece.after == self._position and piece.lost is None):
            return False
        findings = [found for line in piece.lines if (found := self._reader.read(line))]
        try:
            self._write(piece, findings)
        except Exception:
            self._known = False  # read again from where the database says
            raise
        self._position = piece.after
        return piece.more

    def _tell_unreadable(self, error: OSError) -> None:
        """No reason to stop serving, but one that a person must know of; counted on one row."""
        why = f"it cannot be read: {error.strerror}"
        _log.error("the broker's log cannot be read", problem=why)
        with self._storage.write() as conn:
            report(
                conn,
                kind=SecurityKind.BROKER_LOG_LOST,
                subject="broker",
                detail={"why": why},
                now_ms=self._clock.now_ms(),
            )

    def _write(self, piece: Piece, findings: list[Finding]) -> None:
        now_ms = self._clock.now_ms()
        with self._storage.write() as conn:
            for (kind, subject, facts), times in _counted(findings).items():
                report(
                    conn,
                    kind=kind,
                    subject=subject,
                    detail=dict(facts),
                    now_ms=now_ms,
                    times=times,
                )
            if piece.lost is not None:
                lost = SecurityKind.BROKER_LOG_LOST
                detail = {"why": piece.lost}
                report(conn, kind=lost, subject="broker", detail=detail, now_ms=now_ms)
            row = {
                "source": self._source,
                "mark": piece.after.mark,
                "offset": piece.after.offset,
            }
            upsert(conn, log_positions, [row], ["source"])


def _counted(findings: list[Finding]) -> Counter[tuple[SecurityKind, str, _Facts]]:
    return Counter(
        (found.kind, found.subject, tuple(sorted(found.detail.items()))) for found in findings
    )


def _stored(conn: Connection, source: str) -> Position | None:
    row = conn.execute(select(log_positions).where(log_positions.c.source == source)).one_or_none()
    return None if row is None else Position(row.mark, row.offset)
