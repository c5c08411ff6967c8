"""What a simulated Whatsminer says, in the form of real replies. Values come from the physics."""

from typing import Any

from firmware_bridges.simulators.physics import AMBIENT_C, SimulatedMiner
from shared.setpoints import PowerLimit, Preset, Setpoint

Reply = dict[str, Any]

POOLS = (
    ("stratum+tcp://pool-a.example:3333", True),
    ("stratum+tcp://pool-b.example:3333", False),
    ("stratum+tcp://pool-c.example:3333", False),
)
WORKER = "farm.worker"
API_NAMES = {"v1": "whatsminer v1.4.0", "v2": "2.0.5", "v3": "3.0.2"}
_FREQUENCY_MHZ = 620


class WhatsminerView:
    """A miner as this family sees it: on or off, and the operating point that stays configured."""

    def __init__(self, miner: SimulatedMiner, api: str) -> None:
        self.miner = miner
        self.api = api
        self.accepted = 0
        self.time_s = 0
        self.salt = ""

    @property
    def board_count(self) -> int:
        """How many boards it has."""
        return self.miner.model.boards

    def board_hashrate_ths(self) -> float:
        """One board's part."""
        return self.miner.point().hashrate_ths / self.board_count

    def board_temperature_c(self) -> float:
        """Boards stay cooler than chips."""
        return round(AMBIENT_C + (self.miner.chip_temperature_c() - AMBIENT_C) * 0.8, 1)

    def frequency_mhz(self) -> int:
        """Zero while no board hashes, as the device says."""
        share = self.miner.point().hashrate_ths / self.miner.model.rated.hashrate_ths
        return int(_FREQUENCY_MHZ * share)


def legacy(view: WhatsminerView, command: str, configured: Setpoint) -> Reply | None:
    """The reply of API v1 or v2 to a read; None for a command that it does not know."""
    match command:
        case "summary":
            return _listed(view, "SUMMARY", [_summary(view, configured)], 11, "Summary")
        case "devs":
            boards = [_board(view, slot) for slot in range(view.board_count)]
            return _listed(view, "DEVS", boards, 9, f"{len(boards)} ASC(s)")
        case "devdetails":
            details = [
                {"DEVDETAILS": slot, "Name": "SM", "ID": slot, "Model": view.miner.model.model}
                for slot in range(view.board_count)
            ]
            return _listed(view, "DEVDETAILS", details, 69, "Device Details")
        case "pools":
            return _listed(view, "POOLS", _pools(view), 7, f"{len(POOLS)} Pool(s)")
    message = _message(view, command, configured)
    return None if message is None else flat(view, message)


def _message(view: WhatsminerView, command: str, configured: Setpoint) -> Reply | None:
    match command:
        case "status":
            return _status(view, configured)
        case "get_version":
            version = {"api_ver": API_NAMES[view.api], "fw_ver": view.miner.model.firmware}
            return version if view.api == "v1" else {**version, "platform": "H616"}
        case "get_psu":
            return {"name": "P222B", "model": "P222B", "hw_version": "", "sw_version": ""}
        case "get_miner_info" if view.api != "v1":
            return {"mac": view.miner.model.mac, "hostname": "WhatsMiner", "ledstat": "auto"}
        case "get_error_code" if view.api != "v1":
            return {"error_code": []}
    return None


def flat(view: WhatsminerView, message: object, code: int = 131, status: str = "S") -> Reply:
    """A reply in btminer's own form."""
    description = API_NAMES["v1"] if view.api == "v1" else ""
    return {
        "STATUS": status,
        "When": view.time_s,
        "Code": code,
        "Msg": message,
        "Description": description,
    }


def _listed(view: WhatsminerView, name: str, rows: list[Reply], code: int, said: str) -> Reply:
    status = {
        "STATUS": "S",
        "When": view.time_s,
        "Code": code,
        "Msg": said,
        "Description": "cgminer 4.9.2",
    }
    return {"STATUS": [status], name: rows, "id": 1}


def _summary(view: WhatsminerView, configured: Setpoint) -> Reply:
    miner = view.miner
    point, mhs = miner.point(), miner.point().hashrate_ths * 1e6
    summary: Reply = {
        "Accepted": view.accepted,
        "Rejected": 0,
        "Elapsed": miner.uptime_s,
        "Uptime": miner.uptime_s + 30,
        "MAC": miner.model.mac,
        "HS RT": round(mhs, 2),
        "MHS av": round(mhs, 2),
        "Factory GHS": int(miner.model.rated.hashrate_ths * 1e3),
        "Chip Temp Min": round(miner.chip_temperature_c() - 12.0, 1),
        "Chip Temp Avg": round(miner.chip_temperature_c() - 6.0, 1),
        "Chip Temp Max": round(miner.chip_temperature_c(), 1),
        "Fan Speed In": miner.fan_speed_rpm(),
        "Fan Speed Out": miner.fan_speed_rpm(),
        "Power": int(point.power_w),
        "Power Limit": limit_w(miner, configured),
        "Power Mode": mode(configured).capitalize(),
        "Target Freq": _FREQUENCY_MHZ,
        "Hash Stable": True,
        "Pool Rejected%": 0.0,
    }
    if view.api == "v1":
        spans = ("5s", "1m", "5m", "15m")
        summary |= {f"MHS {span}": round(mhs, 2) for span in spans}
        summary |= {
            "Temperature": view.board_temperature_c(),
            "Firmware Version": f"'{miner.model.firmware}'",
            "Error Code Count": 0,
            "Hardware Errors": 0,
        }
    else:
        summary["Env Temp"] = AMBIENT_C
    return summary


def _board(view: WhatsminerView, slot: int) -> Reply:
    miner, mhs = view.miner, view.board_hashrate_ths() * 1e6
    board: Reply = {
        "ASC": slot,
        "ID": slot,
        "Slot": slot,
        "Name": "SM",
        "Enabled": "Y",
        "Status": "Alive",
        "Accepted": view.accepted // view.board_count,
        "Rejected": 0,
        "Device Elapsed": miner.uptime_s,
        "MHS av": round(mhs, 2),
        "Chip Frequency": view.frequency_mhz(),
        "Chip Temp Min": round(miner.chip_temperature_c() - 12.0, 1),
        "Chip Temp Avg": round(miner.chip_temperature_c() - 6.0, 1),
        "Chip Temp Max": round(miner.chip_temperature_c(), 1),
        "Temperature": view.board_temperature_c(),
        "Effective Chips": miner.model.chips_per_board,
        "Fan Speed In": miner.fan_speed_rpm(),
        "Fan Speed Out": miner.fan_speed_rpm(),
        "PCB SN": f"{miner.model.serial}B{slot}",
    }
    if view.api == "v1":
        board |= {"MHS 5s": round(mhs, 2), "MHS 1m": round(mhs, 2), "Hardware Errors": 0}
    else:
        board["Factory GHS"] = int(miner.model.rated.hashrate_ths * 1e3 / view.board_count)
    return board


def _pools(view: WhatsminerView) -> list[Reply]:
    return [
        {
            "POOL": place + 1,
            "Priority": place,
            "URL": url,
            "User": WORKER,
            "Status": "Alive",
            "Stratum Active": used and view.miner.mining,
            "Accepted": view.accepted if used else 0,
            "Rejected": 0,
            "Stale": 0,
        }
        for place, (url, used) in enumerate(POOLS)
    ]


def _status(view: WhatsminerView, configured: Setpoint) -> Reply:
    off = "false" if view.miner.mining else "true"
    if view.api == "v1":
        return {"btmineroff": off, "Firmware Version": f"'{view.miner.model.firmware}'"}
    limited = str(configured.power_w) if isinstance(configured, PowerLimit) else ""
    return {
        "mineroff": off,
        "mineroff_reason": "",
        "mineroff_time": "",
        "FirmwareVersion": view.miner.model.firmware,
        "power_mode": mode(configured),
        "power_limit_set": limited,
        "hash_percent": "0",
    }


def limit_w(miner: SimulatedMiner, configured: Setpoint) -> int:
    """The limit in force: the one that was set, or what the miner is made for."""
    if isinstance(configured, PowerLimit):
        return configured.power_w
    return int(miner.model.rated.power_w)


def mode(configured: Setpoint) -> str:
    """The power mode in force."""
    return configured.name if isinstance(configured, Preset) else "normal"
