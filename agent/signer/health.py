"""What a signer's host reports of itself. Reading it is quick and never raises."""

import os
from pathlib import Path

from firmware_bridges.metrics import Flat, Metric
from shared.measured import Reason, Unknown
from shared.messages.birth import MetricType

UPTIME = Metric("uptime_s", "s", MetricType.FLOAT)
FREE_BYTES = Metric("free_bytes", "B", MetricType.INT)
LOAD = Metric("load_1min", "", MetricType.FLOAT)


def health_values(data_dir: Path, uptime_s: float) -> list[Flat]:
    """One row: how long the agent runs, what is free where its data lies, the host's load."""
    return [(UPTIME, round(uptime_s, 1)), (FREE_BYTES, _free(data_dir)), (LOAD, _load())]


def _free(folder: Path) -> int | Unknown:
    try:
        disk = os.statvfs(folder)
    except OSError as error:
        return Unknown(Reason.UNREACHABLE, str(error.strerror))
    return disk.f_bavail * disk.f_frsize


def _load() -> float | Unknown:
    try:
        return round(os.getloadavg()[0], 2)
    except OSError as error:
        return Unknown(Reason.UNREACHABLE, str(error.strerror))
