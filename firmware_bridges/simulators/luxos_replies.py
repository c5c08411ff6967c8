"""What a simulated LuxOS miner says, in the form of real replies. Values come from the physics."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from firmware_bridges.simulators.physics import AMBIENT_C, Point, SimulatedMiner

Element = dict[str, Any]

RATED_MHZ = 590
DEFAULT_PROFILE = "default"
_LABELS = {
    "TopLeft": "Board Exhaust (top)",
    "TopRight": "Board Intake (top)",
    "BottomLeft": "Board Exhaust (bottom)",
    "BottomRight": "Board Intake (bottom)",
}
_PLAIN = {
    "version": (22, "LUXminer versions", "VERSION"),
    "config": (33, "LUXminer config", "CONFIG"),
    "summary": (11, "Summary", "SUMMARY"),
    "stats": (70, "LUXminer stats", "STATS"),
    "devs": (9, "ASC(s)", "DEVS"),
    "temps": (201, "Temp(s)", "TEMPS"),
    "fans": (202, "Fan(s)", "FANS"),
    "pools": (7, "Pool(s)", "POOLS"),
    "power": (311, "Power usage", "POWER"),
    "profiles": (323, "List profiles", "PROFILES"),
    "events": (357, "Miner Events", "EVENTS"),
    "atm": (339, "ATM configuration values", "ATM"),
}
"""Code, message and key of the list that each parameterless command answers with."""


@dataclass(slots=True)
class LuxosState:
    """What the firmware keeps besides the physics."""

    profile: str = DEFAULT_PROFILE
    atm: bool = False
    power_targeting: bool = False
    power_target_w: int | None = None


class LuxosView:
    """Reads the physics and the state; makes the replies."""

    def __init__(self, miner: SimulatedMiner, state: LuxosState) -> None:
        self._miner = miner
        self.state = state
        self.accepted = 0
        self._plain = self._lists()
        self.description = f"LUXminer {miner.model.firmware}"

    def points(self) -> Mapping[str, Point]:
        """The profiles by name, the factory's own among them."""
        return {**self._miner.model.presets, DEFAULT_PROFILE: self._miner.model.rated}

    def read(self, command: str, parameter: str) -> tuple[int, str, Element] | None:
        """Code, message and lists of a reading command; None for one that it does not know."""
        if command in _PLAIN:
            code, message, name = _PLAIN[command]
            elements = self._plain[command]()
            if "(s)" in message:
                message = f"{len(elements)} {message}"
            extra = {"METADATA": [_metadata()]} if command == "temps" else {}
            return code, message, {name: elements, **extra}
        if not parameter.isdecimal() or int(parameter) >= self._miner.model.boards:
            return None
        board = int(parameter)
        if command == "voltageget":
            return 307, "Get Voltage", {"VOLTAGE": [{"Board": board, "Voltage": 13.5}]}
        if command == "healthchipget":
            return 314, "Health Chip Get", {"CHIPS": list(self._chips(board))}
        if command == "profileget":
            profile = {"Board": board, "Profile": self.state.profile}
            return 320, "Profile Get", {"PROFILE": [profile]}
        return None

    def _lists(self) -> dict[str, Callable[[], list[Element]]]:
        boards = range(self._miner.model.boards)
        fans = range(self._miner.model.fans)
        return {
            "version": lambda: [self._version()],
            "config": lambda: [self._config()],
            "summary": lambda: [self._summary()],
            "stats": lambda: [self._header(), self._stats()],
            "devs": lambda: [self._board(board) for board in reversed(boards)],
            "temps": lambda: [self._temperatures(board) for board in boards],
            "fans": lambda: [self._fan(fan) for fan in fans],
            "pools": lambda: [self._pool(at) for at in range(2)],
            "power": lambda: [{"PSU": False, "Watts": round(self._miner.point().power_w)}],
            "profiles": lambda: list(self._profiles()),
            "events": self._events,
            "atm": lambda: [self._atm()],
        }

    def _events(self) -> list[Element]:
        return [] if self._miner.mining else [_event("SLEEP", "Miner is in Sleep mode.")]

    def _header(self) -> Element:
        return {key: self._version()[key] for key in ("CompileTime", "Miner", "Type")}

    def _version(self) -> Element:
        model = self._miner.model
        return {
            "API": "3.7",
            "CompileTime": "Mon Mar  3 09:20:00 UTC 2025",
            "LUXminer": model.firmware,
            "Miner": model.firmware.partition("-")[0],
            "Type": model.model,
        }

    def _config(self) -> Element:
        model = self._miner.model
        return {
            "ASC Count": model.boards,
            "ControlBoardType": "cvitek",
            "Cooling": "Air",
            "CurtailMode": "None" if self._miner.mining else "Sleep",
            "FeeStatus": "Ok",
            "Hostname": "luxos",
            "IPAddr": "127.0.0.1",
            "IsAtmEnabled": self.state.atm,
            "IsPowerSupplyOn": self._miner.mining,
            "IsTuning": False,
            "MACAddr": model.mac,
            "Model": model.model,
            "NameplateTHS": model.rated.hashrate_ths,
            "OS": "LuxOS",
            "Pool Count": 2,
            "Profile": self.state.profile,
            "SerialNumber": model.serial,
            "SystemStatus": "Normal" if self._miner.mining else "Sleep",
        }

    def _ghs(self) -> float:
        return round(self._miner.point().hashrate_ths * 1e3, 2)

    def _summary(self) -> Element:
        ghs = self._ghs()
        return {
            "Elapsed": self._miner.uptime_s,
            "GHS 5s": ghs,
            "GHS 1m": ghs,
            "GHS 5m": ghs,
            "GHS 30m": ghs,
            "GHS av": ghs,
            "Accepted": self.accepted,
            "Rejected": 0,
            "Stale": 0,
            "Hardware Errors": 0,
        }

    def _stats(self) -> Element:
        model = self._miner.model
        stats: Element = {
            "STATS": 0,
            "ID": "BTM_SOC0",
            "Elapsed": self._miner.uptime_s,
            "GHS 5s": self._ghs(),
            "GHS av": self._ghs(),
            "rate_unit": "GH",
            "miner_count": model.boards,
            "total_rateideal": self.points()[self.state.profile].hashrate_ths * 1e3,
        }
        for chain in range(1, 5):
            present = chain <= model.boards
            stats[f"chain_acn{chain}"] = model.chips_per_board if present else 0
            stats[f"chain_acs{chain}"] = "o" * model.chips_per_board if present else ""
            stats[f"freq{chain}"] = float(self._frequency_mhz()) if present else 0.0
        return stats

    def _frequency_mhz(self) -> int:
        share = self._miner.point().hashrate_ths / self._miner.model.rated.hashrate_ths
        return int(RATED_MHZ * share)

    def _board(self, board: int) -> Element:
        model = self._miner.model
        mhs = self._miner.point().hashrate_ths * 1e6 / model.boards
        nominal = self.points()[self.state.profile].hashrate_ths * 1e6 / model.boards
        return {
            "ASC": board,
            "ID": board,
            "Board": "SIM10001",
            "Connector": f"J{board + 7}",
            "Enabled": "Y",
            "Status": "Alive",
            "IsRamping": False,
            "IsUserShutdown": False,
            "MHS 5s": mhs,
            "MHS av": mhs,
            "Nominal MHS": nominal,
            "Hardware Errors": 0,
            "Profile": self.state.profile,
            "SerialNumber": f"{model.serial}-{board}",
            "Temperature": self._board_c(board),
        }

    def _board_c(self, board: int) -> float:
        warmth = self._miner.chip_temperature_c() - AMBIENT_C
        return round(AMBIENT_C + warmth * 0.75 - board, 1)

    def _temperatures(self, board: int) -> Element:
        exhaust = self._board_c(board)
        intake = round(AMBIENT_C + (exhaust - AMBIENT_C) * 0.4, 1)
        return {
            "ID": board,
            "TEMP": board,
            "TopLeft": exhaust,
            "BottomLeft": exhaust,
            "TopRight": intake,
            "BottomRight": intake,
        }

    def _fan(self, fan: int) -> Element:
        rpm = self._miner.fan_speed_rpm()
        return {"FAN": f"FAN{fan + 1}", "ID": fan, "RPM": rpm, "Speed": min(100, rpm // 60)}

    def _pool(self, at: int) -> Element:
        alive = at == 0 and self._miner.mining
        return {
            "POOL": at,
            "URL": f"stratum+tcp://pool-{at}.example:3333",
            "User": "farm.lux",
            "Status": "Alive" if alive else "Dead",
            "Stratum Active": alive,
            "Accepted": self.accepted if at == 0 else 0,
            "Rejected": 0,
            "Stale": 0,
            "GROUP": 0,
        }

    def _profiles(self) -> Iterator[Element]:
        by_power = sorted(self.points().items(), key=lambda item: item[1].power_w)
        rated_at = [name for name, _ in by_power].index(DEFAULT_PROFILE)
        for at, (name, point) in enumerate(by_power):
            share = point.hashrate_ths / self._miner.model.rated.hashrate_ths
            yield {
                "Profile Name": name,
                "Step": str(at - rated_at),
                "Frequency": int(RATED_MHZ * share),
                "Hashrate": round(point.hashrate_ths, 1),
                "Watts": round(point.power_w),
                "Voltage": 13.5,
                "IsDynamic": name != DEFAULT_PROFILE,
                "IsTuned": False,
            }

    def _atm(self) -> Element:
        atm: Element = {"Enabled": self.state.atm, "MaxProfile": DEFAULT_PROFILE, "MinProfile": ""}
        if self.state.power_targeting:
            rated_w = int(self._miner.model.rated.power_w)
            atm |= {
                "PowerMin": int(self._miner.model.least_power_w),
                "PowerLimit": rated_w,
                "PowerTarget": self.state.power_target_w or rated_w,
            }
        return atm

    def _chips(self, board: int) -> Iterator[Element]:
        model = self._miner.model
        ghs = round(self._ghs() / model.boards / model.chips_per_board, 2)
        for chip in range(model.chips_per_board):
            yield {
                "Board": board,
                "Chip": chip,
                "Frequency": self._frequency_mhz(),
                "GHS 1m": ghs,
                "Healthy": "Y",
            }


def _metadata() -> Element:
    return {
        sensor: {"Label": label, "Position": [int("bottom" in label), int("Intake" in label)]}
        for sensor, label in _LABELS.items()
    }


def _event(code: str, text: str) -> Element:
    created = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    return {"Code": code, "CreatedAt": created, "Description": text, "Target": "MINER"}
