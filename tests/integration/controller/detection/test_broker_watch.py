"""The log is followed through rotations and restarts, each line once."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from controller.detection import broker_watch
from controller.detection.broker_watch import BrokerWatch
from controller.detection.kinds import SecurityKind
from controller.storage.engine import Storage
from controller.storage.tables import security_events
from tests.nodes import StillClock


def denied(client: str) -> str:
    what = "(d0, q1, r0, m2, 'bes/1/x/event', ... (1 bytes))"
    return f"2026-11-25T10:00:00: Denied PUBLISH from {client} {what}\n"


def watch_of(storage: Storage, path: Path) -> BrokerWatch:
    return BrokerWatch(storage, StillClock(), path, frozenset({"controller"}))


def counts(storage: Storage, kind: SecurityKind = SecurityKind.PUBLISH_REFUSED) -> dict[str, int]:
    with storage.read() as conn:
        query = select(security_events).where(security_events.c.kind == kind.value)
        return {row.subject: row.occurrences for row in conn.execute(query)}


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_no_file_is_no_event(storage: Storage, tmp_path: Path) -> None:
    assert watch_of(storage, tmp_path / "none.log").round() is False


def test_a_line_counts_once_across_restarts_and_a_half_line_waits(
    storage: Storage, tmp_path: Path
) -> None:
    log = tmp_path / "bes.log"
    line = denied("a")
    append(log, denied("a") + line[:40])
    watch_of(storage, log).round()
    assert counts(storage) == {"a": 1}
    append(log, line[40:])
    again = watch_of(storage, log)
    again.round()
    again.round()
    assert counts(storage) == {"a": 2}


def test_a_file_that_was_rotated_away_is_read_to_its_end(storage: Storage, tmp_path: Path) -> None:
    log = tmp_path / "bes.log"
    append(log, denied("a"))
    watch = watch_of(storage, log)
    watch.round()
    append(log, denied("b"))
    log.rename(tmp_path / "bes.log.1")
    append(log, denied("c"))
    watch = watch_of(storage, log)
    watch.round()
    watch.round()
    assert counts(storage) == {"a": 1, "b": 1, "c": 1}
    assert counts(storage, SecurityKind.BROKER_LOG_LOST) == {}


def test_what_was_cut_away_is_said_to_be_lost(storage: Storage, tmp_path: Path) -> None:
    log = tmp_path / "bes.log"
    append(log, denied("a") * 5)
    watch = watch_of(storage, log)
    watch.round()
    log.write_text(denied("b"))
    watch.round()
    assert counts(storage) == {"a": 5, "b": 1}
    assert counts(storage, SecurityKind.BROKER_LOG_LOST) == {"broker": 1}


def test_what_is_far_behind_is_skipped_and_said_to_be(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_watch, "MOST_BEHIND_BYTES", 500)
    log = tmp_path / "bes.log"
    append(log, denied("a") * 100)
    watch_of(storage, log).round()
    assert 0 < counts(storage)["a"] < 10
    assert counts(storage, SecurityKind.BROKER_LOG_LOST) == {"broker": 1}


def test_a_round_that_did_not_commit_is_read_again(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "bes.log"
    append(log, denied("a"))
    watch = watch_of(storage, log)

    def fail(*_arguments: Any, **_named: Any) -> None:
        raise OSError("no database")

    with monkeypatch.context() as broken:
        broken.setattr(broker_watch, "report", fail)
        with pytest.raises(OSError, match="no database"):
            watch.round()
    watch.round()
    assert counts(storage) == {"a": 1}


def test_bytes_that_are_no_text_and_lines_without_end_harm_nothing(
    storage: Storage, tmp_path: Path
) -> None:
    log = tmp_path / "bes.log"
    log.write_bytes(b"\xff\xfe\x00\n" + b"x" * (broker_watch.CHUNK_BYTES + 10))
    watch = watch_of(storage, log)
    while watch.round():
        pass
    append(log, "\n" + denied("a"))
    while watch.round():
        pass
    assert counts(storage) == {"a": 1}


def test_a_log_that_cannot_be_read_is_told_and_the_watch_goes_on(
    storage: Storage, tmp_path: Path
) -> None:
    log = tmp_path / "bes.log"
    log.mkdir()
    watch = watch_of(storage, log)
    assert [watch.round() for _ in range(3)] == [False] * 3
    assert counts(storage, SecurityKind.BROKER_LOG_LOST) == {"broker": 3}
    log.rmdir()
    append(log, denied("a"))
    watch.round()
    assert counts(storage) == {"a": 1}
