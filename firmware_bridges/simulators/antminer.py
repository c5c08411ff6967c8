"""A simulated Antminer with stock firmware: the 4028 API and the CGI behind digest authentication.

Like the device it replaces its whole configuration at a write (what is missing is gone), obeys
"miner-mode" and not "bitmain-work-mode", and restarts hashing. `AntminerPersona.replay` answers
with captures instead (in tests).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from firmware_bridges.simulators.antminer_replies import DESCRIPTION, AntminerView
from firmware_bridges.simulators.cgminer import cgminer_exchange, refusal, replay
from firmware_bridges.simulators.digest import DigestGuard
from firmware_bridges.simulators.misbehaviour import Misbehaviour, Script
from firmware_bridges.simulators.physics import SimulatedMiner
from firmware_bridges.simulators.shares import ShareCounter
from firmware_bridges.simulators.tcp import TcpSimulator
from firmware_bridges.simulators.web import WebSimulator
from shared.setpoints import Preset, Run, Setpoint, Stop

_MODES: dict[int, Setpoint] = {0: Run(), 1: Stop(), 2: Run(), 3: Preset("low_power")}


@dataclass(frozen=True, slots=True)
class AntminerPersona:
    """What is particular to one simulated miner: `boot_s` is how long it is gone after a reboot, on
    the physics' clock; `replay` has the names of commands ("stats") and of CGI programs
    ("get_system_info.cgi") as keys."""

    username: str = "root"
    password: str = field(default="root", repr=False)
    boot_s: float = 0.0
    replay: Mapping[str, bytes] | None = None


class AntminerSimulator:
    """Serves on 127.0.0.1; `api_port` and `http_port` are known after `start`."""

    def __init__(
        self,
        miner: SimulatedMiner,
        script: Script,
        persona: AntminerPersona | None = None,
        *,
        api_port: int = 0,
        http_port: int = 0,
    ) -> None:
        self.miner = miner
        self.script = script
        self.persona = persona or AntminerPersona()
        self._view = AntminerView(miner)
        self._shares = ShareCounter(miner)
        self._guard = DigestGuard("antMiner", self.persona.username, self.persona.password)
        self._booting = False
        captures = self.persona.replay
        answer = self._answer if captures is None else replay(captures)
        self._api = TcpSimulator(cgminer_exchange(answer, DESCRIPTION), script, port=api_port)
        routes = [
            web.get("/cgi-bin/{program}", self._read_program),
            web.post("/cgi-bin/set_miner_conf.cgi", self._set_configuration),
        ]
        self._web = WebSimulator(routes, script, port=http_port)

    @property
    def api_port(self) -> int:
        """Where the 4028 API listens."""
        return self._api.port

    @property
    def http_port(self) -> int:
        """Where the web server listens."""
        return self._web.port

    @property
    def configuration(self) -> dict[str, Any]:
        """The configuration as it stands."""
        return self._view.configuration

    async def start(self) -> None:
        """Begins to listen."""
        await self._api.start()
        await self._web.start()

    async def stop(self) -> None:
        """Ends listening and every connection."""
        await self._api.stop()
        await self._web.stop()

    def _is_down(self) -> bool:
        if self._booting and self.miner.uptime_s >= self.persona.boot_s:
            self._booting = False
        return self._booting or not self.miner.powered

    def _answer(self, command: str, parameter: str) -> bytes | None:
        if self._is_down():
            return None
        self._view.accepted = self._shares.accepted()
        reply = self._view.api(command)
        return refusal(14, "Invalid command", DESCRIPTION) if reply is None else reply

    def _refuse(self, request: web.Request) -> web.Response | None:
        """What is said instead without the password or while down; None when it may go on."""
        if self._is_down():
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=503)
        if self._guard.admits(request.method, request.headers.get("Authorization", "")):
            return None
        return web.Response(status=401, headers={"WWW-Authenticate": self._guard.challenge()})

    async def _read_program(self, request: web.Request) -> web.Response:
        refused = self._refuse(request)
        if refused is not None:
            return refused
        program = request.match_info["program"]
        if self.persona.replay is not None:
            body = self.persona.replay.get(program)
            return web.Response(status=404) if body is None else web.Response(body=body)
        match program:
            case "get_system_info.cgi":
                return web.json_response(self._view.system_info())
            case "get_miner_conf.cgi":
                return web.json_response(self._view.configuration)
            case "summary.cgi":
                return web.json_response(self._view.web_summary())
            case "reboot.cgi":
                if self.script.current is not Misbehaviour.LIE:
                    self.miner.reboot()
                    self._booting = True
                return web.json_response({})
            case _:
                return web.Response(status=404)

    async def _set_configuration(self, request: web.Request) -> web.Response:
        refused = self._refuse(request)
        if refused is not None:
            return refused
        try:
            sent = json.loads(await request.read())
            mode = int(sent.get("miner-mode", 0))
        except (ValueError, TypeError, AttributeError):
            return web.json_response({"stats": "error", "code": "M001", "msg": "Invalid format!"})
        if self.script.current is not Misbehaviour.LIE:
            self._obey(sent, mode)
        return web.json_response({"stats": "success", "code": "M000", "msg": "OK!"})

    def _obey(self, sent: dict[str, Any], mode: int) -> None:
        kept = {key: sent[key] for key in self._view.configuration if key in sent}
        kept.setdefault("pools", [])
        kept["bitmain-work-mode"] = str(mode)
        self._view.configuration = kept
        setpoint = _MODES.get(mode, Run())
        if isinstance(setpoint, Preset) and setpoint.name not in self.miner.model.presets:
            setpoint = Run()
        if not isinstance(setpoint, Stop):
            self.miner.reboot()  # hashing restarts from cold
        self.miner.apply(setpoint)
