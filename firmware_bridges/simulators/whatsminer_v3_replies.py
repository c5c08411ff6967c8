"""What a simulated Whatsminer says over API v3. Values come from the physics."""

from firmware_bridges.simulators.physics import AMBIENT_C
from firmware_bridges.simulators.whatsminer_replies import (
    API_NAMES,
    POOLS,
    WORKER,
    Reply,
    WhatsminerView,
    limit_w,
    mode,
)
from shared.setpoints import Setpoint


def v3(view: WhatsminerView, command: str, param: object, configured: Setpoint) -> Reply | None:
    """The `msg` of a read; None for a command or parameter that it does not know."""
    if command == "get.device.info":
        return _chosen(_device(view, configured), param)
    if command == "get.miner.setting":
        return {
            "power-limit": limit_w(view.miner, configured),
            "power-mode": mode(configured),
            "fast-boot": "disable",
            "target-freq": 0,
            "upfreq-speed": 2,
        }
    if command == "get.miner.status" and isinstance(param, str):
        parts: Reply = {
            "summary": _summary(view, configured),
            "pools": _pools(view),
            "edevs": [_board(view, slot) for slot in range(view.board_count)],
        }
        asked = param.split("+")
        if all(part in parts for part in asked):
            return {part: parts[part] for part in asked}
    return None


def _chosen(device: Reply, param: object) -> Reply | None:
    if param is None:
        return device
    return {param: device[param]} if isinstance(param, str) and param in device else None


def _device(view: WhatsminerView, configured: Setpoint) -> Reply:
    model = view.miner.model
    boards = {f"pcbsn{slot}": f"{model.serial}B{slot}" for slot in range(view.board_count)}
    return {
        "miner": {
            "working": "true" if view.miner.mining else "false",
            "type": model.model,
            "miner-sn": model.serial,
            "board-num": str(view.board_count),
            "fast-boot": "disable",
            "pool-strategy": "FAILOVER",
            "power-limit-set": str(limit_w(view.miner, configured)),
            **boards,
        },
        "network": {
            "ip": "127.0.0.1",
            "proto": "dhcp",
            "mac": model.mac,
            "hostname": "WhatsMiner",
        },
        "power": {"type": "P221B", "fanspeed": view.miner.fan_speed_rpm(), "mode": "1"},
        "salt": view.salt,
        "system": {
            "api": API_NAMES["v3"],
            "apiswitch": "1",
            "fwversion": model.firmware,
            "ledstatus": "auto",
            "platform": "H616",
        },
        "error-code": [],
    }


def _summary(view: WhatsminerView, configured: Setpoint) -> Reply:
    miner = view.miner
    point = miner.point()
    efficiency = point.power_w / point.hashrate_ths if point.hashrate_ths else 0.0
    return {
        "elapsed": miner.uptime_s,
        "bootup-time": miner.uptime_s + 30,
        "hash-realtime": round(point.hashrate_ths, 3),
        "hash-1min": round(point.hashrate_ths, 3),
        "hash-15min": round(point.hashrate_ths, 3),
        "hash-average": round(point.hashrate_ths, 3),
        "factory-hash": miner.model.rated.hashrate_ths,
        "power-realtime": round(point.power_w, 1),
        "power-5min": round(point.power_w, 1),
        "power-rate": round(efficiency, 3),
        "power-limit": limit_w(miner, configured),
        "board-temperature": [view.board_temperature_c()] * view.board_count,
        "environment-temperature": AMBIENT_C,
        "chip-temp-min": round(miner.chip_temperature_c() - 12.0, 1),
        "chip-temp-avg": round(miner.chip_temperature_c() - 6.0, 1),
        "chip-temp-max": round(miner.chip_temperature_c(), 1),
        "fan-speed-in": miner.fan_speed_rpm(),
        "fan-speed-out": miner.fan_speed_rpm(),
        "freq-avg": view.frequency_mhz(),
        "up-freq-finish": 1,
    }


def _board(view: WhatsminerView, slot: int) -> Reply:
    miner = view.miner
    return {
        "id": slot,
        "status": "alive",
        "hash-realtime": round(view.board_hashrate_ths(), 3),
        "hash-average": round(view.board_hashrate_ths(), 3),
        "factory-hash": round(miner.model.rated.hashrate_ths / view.board_count, 3),
        "effective-chips": miner.model.chips_per_board,
        "freq": float(view.frequency_mhz()),
        "chip-temp-min": round(miner.chip_temperature_c() - 12.0, 1),
        "chip-temp-avg": round(miner.chip_temperature_c() - 6.0, 1),
        "chip-temp-max": round(miner.chip_temperature_c(), 1),
    }


def _pools(view: WhatsminerView) -> list[Reply]:
    return [
        {
            "account": WORKER,
            "url": url,
            "status": "alive",
            "pool-priority": place,
            "stratum-active": used and view.miner.mining,
            "accepted": view.accepted if used else 0,
            "rejected": 0,
        }
        for place, (url, used) in enumerate(POOLS)
    ]
