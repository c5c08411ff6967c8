"""How well the host's clock is synchronised: thin adapters over adjtimex(2) and systemd."""

import ctypes
from dataclasses import dataclass
from pathlib import Path

TIMESYNC_FLAG = Path("/run/systemd/timesync/synchronized")
"""Touched by systemd-timesyncd when it has set the clock (systemd-timesyncd.service(8))."""

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
_US_PER_MS = 1_000


@dataclass(frozen=True, slots=True)
class ClockSync:
    """Whether the clock is synchronised and the bound on its error; None where unknown."""

    synchronised: bool | None
    error_ms: int | None = None


class _TimeValue(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("micros", ctypes.c_long))


class _Timex(ctypes.Structure):
    """struct timex of adjtimex(2), with its reserve at the end."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", _TimeValue),
        ("rest", ctypes.c_byte * 256),
    )


def read_clock_sync(flag: Path = TIMESYNC_FLAG) -> ClockSync:
    """What the kernel knows; where it may not be asked, what timesyncd says; else unknown."""
    timex = _Timex()
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):  # no such function in this C library
        state = -1
    if state >= 0:
        return judge(state, timex.status, timex.maxerror)
    return ClockSync(synchronised=True if flag.exists() else None)


def judge(state: int, status: int, maxerror_us: int) -> ClockSync:
    """What adjtimex's return value, status bits and maximum error say. Pure."""
    if state == _TIME_ERROR or status & _STA_UNSYNC:
        return ClockSync(synchronised=False)
    return ClockSync(synchronised=True, error_ms=-(-maxerror_us // _US_PER_MS))
