"""The miner's configuration, which its CGI can only replace as a whole.

`get_miner_conf.cgi` returns every setting, pools included; `set_miner_conf.cgi` takes every setting
and blanks what is missing, then restarts hashing. The trap: the page reads the work mode as
"bitmain-work-mode" (text) and writes it as "miner-mode" (number), and firmware that is sent back
only what was read says success and changes nothing; the same holds for "bitmain-freq-level" and
"freq-level". So both names are written. Modes as in pyasic and asic-rs: 0 normal, 1 sleep, 2 high,
3 low power.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final

from firmware_bridges.errors import MalformedReplyError
from firmware_bridges.miners.extract import Source, integer, raw
from shared.measured import Measured, Reason, Unknown
from shared.setpoints import Preset, Run, Setpoint, Stop


class WorkMode(IntEnum):
    """Bitmain's work modes."""

    NORMAL = 0
    SLEEP = 1
    HIGH = 2
    LOW_POWER = 3


MODE_KEYS: Final = ("bitmain-work-mode", "miner-mode")

PRESET_NAMES: Final = {
    WorkMode.NORMAL: "normal",
    WorkMode.SLEEP: "sleep",
    WorkMode.HIGH: "high",
    WorkMode.LOW_POWER: "low_power",
}


def mode_for(setpoint: Setpoint) -> WorkMode | None:
    """The work mode that a setpoint means; None when it means none."""
    match setpoint:
        case Stop():
            return WorkMode.SLEEP
        case Run() | Preset("normal"):
            return WorkMode.NORMAL
        case Preset("low_power"):
            return WorkMode.LOW_POWER
        case _:
            return None


def work_mode(configuration: Source) -> Measured[WorkMode]:
    """The work mode that the configuration holds."""
    present = (key for key in MODE_KEYS if not isinstance(raw(configuration, key), Unknown))
    key = next(present, MODE_KEYS[0])
    mode = integer(configuration, key)
    if isinstance(mode, Unknown):
        return mode
    try:
        return WorkMode(mode)
    except ValueError:
        return Unknown(Reason.OUT_OF_RANGE, f"{key} is {mode}, not 0 to 3")


def with_mode(configuration: Mapping[str, Any], mode: WorkMode) -> dict[str, Any]:
    """The whole configuration to write so that only the work mode changes.

    `MalformedReplyError` when it holds no work mode or no pools: written back, a configuration that
    was not read in full would leave the miner without its pools.
    """
    present = [key for key in MODE_KEYS if key in configuration]
    if not present:
        raise MalformedReplyError(f"get_miner_conf: neither {' nor '.join(MODE_KEYS)} in it")
    pools = configuration.get("pools")
    if not isinstance(pools, list) or not pools:
        raise MalformedReplyError("get_miner_conf: no pools in it; it is not written back")
    changed = dict(configuration)
    for key in present:
        changed[key] = str(int(mode)) if isinstance(configuration[key], str) else int(mode)
    changed["miner-mode"] = int(mode)
    if "freq-level" not in changed and "bitmain-freq-level" in changed:
        changed["freq-level"] = changed["bitmain-freq-level"]
    return changed
