"""Whatsminer's error codes, as API v2 and v3 list them. Pure."""

from collections.abc import Mapping

from firmware_bridges.readings import Fault
from shared.measured import Measured, Reason, Unknown

_MOST = 64
_WORDS = "reason"


def fault_list(listed: object, what: str) -> Measured[tuple[Fault, ...]]:
    """Reads a list of codes: bare ("531", 531) or with their time ({"531": "2025-03-12 14:52:35"}),
    the latter with a "reason" since API 3.0.1. The times are the miner's local ones without a zone,
    so they stay text."""
    if isinstance(listed, Unknown):
        return listed
    if not isinstance(listed, list):
        return Unknown(Reason.MALFORMED, f"{what} is no list")
    faults: list[Fault] = []
    for entry in listed[:_MOST]:
        read = _faults_of(entry)
        if read is None:
            return Unknown(Reason.MALFORMED, f"{what} holds {repr(entry)[:60]}")
        faults.extend(read)
    return tuple(faults)


def _faults_of(entry: object) -> list[Fault] | None:
    if isinstance(entry, str | int) and not isinstance(entry, bool):
        code = str(entry).strip()
        return [Fault(code[:40])] if code else None
    if not isinstance(entry, Mapping) or not entry:
        return None
    reason = entry.get(_WORDS, "")
    if not isinstance(reason, str):
        return None
    faults: list[Fault] = []
    for code, when in entry.items():
        if code == _WORDS:
            continue
        if not isinstance(when, str):
            return None
        faults.append(Fault(code[:40], "; ".join(part for part in (reason, when) if part)[:200]))
    return faults or None
