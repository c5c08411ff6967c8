"""A simulated LuxOS miner: the 4028 API with its one session, profiles, ATM and curtailment.

Source for sessions, codes and refusals: Luxor's firmware documentation. `LuxosPersona.replay`
answers with captures instead (in tests).
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from firmware_bridges.simulators.cgminer import cgminer_exchange, refusal, replay, status
from firmware_bridges.simulators.luxos_replies import DEFAULT_PROFILE, LuxosState, LuxosView
from firmware_bridges.simulators.misbehaviour import Misbehaviour, Script
from firmware_bridges.simulators.physics import SimulatedMiner
from firmware_bridges.simulators.shares import ShareCounter
from firmware_bridges.simulators.tcp import TcpSimulator
from shared.setpoints import PowerLimit, Preset, Run, Setpoint, Stop

SESSION_S = 60.0


@dataclass(frozen=True, slots=True)
class LuxosPersona:
    """What is particular to one simulated miner: whether ATM is on at first, whether it runs in
    power-targeting mode, whether it takes commands joined by "+", how long it is gone after a
    reboot (`boot_s`, on the physics' clock). `replay` has commands ("summary", "voltageget_0") as
    keys; `session_clock` gives seconds."""

    atm: bool = False
    power_targeting: bool = False
    joined: bool = True
    boot_s: float = 0.0
    session_clock: Callable[[], float] = time.monotonic
    replay: Mapping[str, bytes] | None = None


class LuxosSimulator:
    """Serves on 127.0.0.1; `port` is known after `start`."""

    def __init__(
        self,
        miner: SimulatedMiner,
        script: Script,
        persona: LuxosPersona | None = None,
        *,
        port: int = 0,
    ) -> None:
        self.miner = miner
        self.script = script
        self.persona = persona or LuxosPersona()
        self.state = LuxosState(
            _profile_of(miner.setpoint), self.persona.atm, self.persona.power_targeting
        )
        self.writes: list[tuple[str, ...]] = []
        self._view = LuxosView(miner, self.state)
        self._shares = ShareCounter(miner)
        self._session = ""
        self._used_s = 0.0
        self._booting = False
        captures = self.persona.replay
        answer = self._answer if captures is None else replay(captures)
        exchange = cgminer_exchange(answer, self._view.description, joined=self.persona.joined)
        self._server = TcpSimulator(exchange, script, port=port)

    @property
    def port(self) -> int:
        """Where the 4028 API listens."""
        return self._server.port

    async def start(self) -> None:
        """Begins to listen."""
        await self._server.start()

    async def stop(self) -> None:
        """Ends listening and every connection."""
        await self._server.stop()

    def hold_session(self) -> str:
        """Another client logs on; its session's id."""
        self._session = secrets.token_urlsafe(6)
        self._used_s = self.persona.session_clock()
        return self._session

    def _answer(self, command: str, parameter: str) -> bytes | None:
        if self._booting and self.miner.uptime_s >= self.persona.boot_s:
            self._booting = False
        if self._booting or not self.miner.powered:
            return None
        self._view.accepted = self._shares.accepted()
        match command:
            case "logon":
                return self._log_on()
            case "session":
                session = self._session if self._session_is_live() else ""
                return self._say(317, "Session information", {"SESSION": [{"SessionID": session}]})
            case "logoff" | "curtail" | "profileset" | "atmset" | "powertargetset" | "rebootdevice":
                return self._privileged(command, parameter.split(","))
            case _:
                found = self._view.read(command, parameter)
                return self._say(*found) if found else self._refuse(14, "Invalid command")

    def _log_on(self) -> bytes:
        if self._session_is_live():
            return self._refuse(402, "Another session is active")
        return self._say(316, "Session created", {"SESSION": [{"SessionID": self.hold_session()}]})

    def _session_is_live(self) -> bool:
        return self._session != "" and self.persona.session_clock() - self._used_s < SESSION_S

    def _privileged(self, command: str, parameters: list[str]) -> bytes:
        if not self._session_is_live() or parameters[0] != self._session:
            return self._refuse(401, "Invalid session ID")
        self._used_s = self.persona.session_clock()
        arguments = parameters[1:]
        if command == "logoff":
            self._session = ""
            return self._say(318, "Session closed", {})
        why_not = self._why_not(command, arguments)
        if why_not is not None:
            return self._refuse(400, why_not)
        self.writes.append((command, *arguments))
        if self.script.current is not Misbehaviour.LIE:
            self._obey(command, arguments)
        return self._say(*_DONE[command])

    def _why_not(self, command: str, arguments: list[str]) -> str | None:
        match command, arguments:
            case "curtail", ["sleep" | "wakeup"]:
                return None
            case "profileset", [name]:
                if self.state.atm:
                    return "ATM is enabled, profile cannot be changed"
                return None if name in self._view.points() else "Invalid profile name"
            case "atmset", ["enabled=true" | "enabled=false"]:
                return None
            case "powertargetset", [target] if target.startswith("power="):
                return None if self.state.power_targeting else "Power targeting is not supported"
            case "rebootdevice", []:
                return None
            case _:
                return "Invalid parameters"

    def _obey(self, command: str, arguments: list[str]) -> None:
        match command, arguments:
            case "curtail", ["sleep"]:
                self.miner.apply(Stop())
            case "curtail", _:
                self.miner.apply(self._configured())
            case "profileset", [name]:
                self.state.profile = name
                self.state.power_target_w = None
                self._follow_configuration()
            case "atmset", [value]:
                self.state.atm = value == "enabled=true"
            case "powertargetset", [target]:
                self.state.power_target_w = int(target.removeprefix("power="))
                self._follow_configuration()
            case _:
                self.miner.reboot()
                self._booting = True

    def _follow_configuration(self) -> None:
        if self.miner.mining:
            self.miner.apply(self._configured())

    def _configured(self) -> Setpoint:
        if self.state.power_target_w is not None:
            return PowerLimit(self.state.power_target_w)
        profile = self.state.profile
        return Run() if profile == DEFAULT_PROFILE else Preset(profile)

    def _say(self, code: int, message: str, lists: Mapping[str, Any]) -> bytes:
        said = status("S", code, message, self._view.description)
        return json.dumps({"STATUS": said, **lists, "id": 1}).encode()

    def _refuse(self, code: int, message: str) -> bytes:
        return refusal(code, message, self._view.description)


_DONE: dict[str, tuple[int, str, dict[str, Any]]] = {
    "curtail": (335, "Curtailment command sent", {}),
    "profileset": (321, "Profile Set", {}),
    "atmset": (340, "ATM configuration set", {}),
    "powertargetset": (360, "Power target set", {}),
    "rebootdevice": (312, "Device reboot scheduled", {}),
}


def _profile_of(setpoint: Setpoint) -> str:
    return setpoint.name if isinstance(setpoint, Preset) else DEFAULT_PROFILE
