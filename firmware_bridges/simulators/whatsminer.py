"""A simulated Whatsminer: API v1 or v2 on one socket, and v3 on another when it speaks that.

Tokens are given, kept and expired as MicroBT's documents say; writes are obeyed with the ramp of
the physics. `WhatsminerPersona.replay` answers reads with given bytes instead (captures, in tests).
"""

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from firmware_bridges.errors import DeviceError
from firmware_bridges.miners.whatsminer import privileged, v3_wire
from firmware_bridges.simulators.misbehaviour import Misbehaviour, Script
from firmware_bridges.simulators.physics import SimulatedMiner
from firmware_bridges.simulators.shares import ShareCounter
from firmware_bridges.simulators.tcp import TcpSimulator
from firmware_bridges.simulators.whatsminer_replies import Reply, WhatsminerView, flat, legacy
from firmware_bridges.simulators.whatsminer_v3_replies import v3
from shared.setpoints import PowerLimit, Preset, Run, Setpoint, Stop

MAX_REQUEST_BYTES = 64 * 1024
MAX_TOKENS = 32
_CLOCK_TOLERANCE_S = 300
_MODES = {"set_low_power": "low", "set_normal_power": "normal", "set_high_power": "high"}


@dataclass(frozen=True, slots=True)
class WhatsminerPersona:
    """What is particular to one simulated miner. `api` is "v1", "v2" or "v3"; `boot_s` how long it
    is gone after it was told to reboot, on the physics' clock; `token_clock` and `wall_clock` give
    seconds; `replay` has a read command ("summary", "get.miner.status summary") as key."""

    api: str = "v2"
    password: str = field(default="not-admin", repr=False)
    account: str = "super"
    boot_s: float = 0.0
    token_clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
    replay: Mapping[str, bytes] | None = None


class WhatsminerSimulator:
    """Serves on 127.0.0.1; `port` and `v3_port` are known after `start`."""

    def __init__(
        self,
        miner: SimulatedMiner,
        script: Script,
        persona: WhatsminerPersona | None = None,
        *,
        port: int = 0,
        v3_port: int = 0,
    ) -> None:
        self.miner = miner
        self.script = script
        self.persona = persona or WhatsminerPersona()
        self.configured: Setpoint = miner.setpoint
        if isinstance(miner.setpoint, Stop):
            self.configured = Run()
        self._view = WhatsminerView(miner, self.persona.api)
        self._shares = ShareCounter(miner)
        self._booting = False
        self._salt = secrets.token_hex(4)
        self._sessions: dict[str, float] = {}
        self._key = b""
        self._legacy = TcpSimulator(self._serve_legacy, script, port=port)
        self._v3 = TcpSimulator(self._serve_v3, script, port=v3_port, keep_open=True)

    @property
    def port(self) -> int:
        """Where it speaks API v1 and v2."""
        return self._legacy.port

    @property
    def v3_port(self) -> int:
        """Where it speaks API v3; nothing listens there unless `api` is "v3"."""
        return self._v3.port

    @property
    def tokens(self) -> int:
        """How many tokens live."""
        now = self.persona.token_clock()
        self._sessions = {
            sign: given
            for sign, given in self._sessions.items()
            if now - given < privileged.TOKEN_LIFETIME_S
        }
        return len(self._sessions)

    async def start(self) -> None:
        """Begins to listen."""
        await self._legacy.start()
        if self.persona.api == "v3":
            await self._v3.start()

    async def stop(self) -> None:
        """Ends listening and every connection."""
        await self._legacy.stop()
        await self._v3.stop()

    def _gone(self) -> bool:
        if self._booting and self.miner.uptime_s >= self.persona.boot_s:
            self._booting = False
        return self._booting or not self.miner.powered

    def _looked(self) -> WhatsminerView:
        self._view.accepted = self._shares.accepted()
        self._view.time_s = int(self.persona.wall_clock())
        self._view.salt = self._salt
        return self._view

    # API v1 and v2

    async def _serve_legacy(self, reader: asyncio.StreamReader) -> bytes | None:
        request = await read_json(reader)
        if request is None or self._gone():
            return None
        if request.get("enc") == 1:
            return json.dumps(self._privileged(request)).encode() + b"\0"
        command = str(request.get("cmd", request.get("command")))
        replay = self.persona.replay
        if replay is not None and command in replay:
            return replay[command] + b"\0"
        if command == "get_token":
            reply = self._token()
        else:
            read = legacy(self._looked(), command, self.configured) if replay is None else None
            reply = read or flat(self._looked(), "invalid cmd", 14, "E")
        return json.dumps(reply).encode() + b"\0"

    def _token(self) -> Reply:
        view = self._looked()
        if self.tokens >= MAX_TOKENS:
            return flat(view, "over max connect", privileged.TOO_MANY_TOKENS, "E")
        grant = privileged.Grant(f"{view.time_s % 10_000:04d}", self._salt, secrets.token_hex(4))
        session = privileged.session_from(grant, self.persona.password)
        self._key = session.key
        self._sessions[session.sign] = self.persona.token_clock()
        message = {"time": grant.time, "salt": grant.salt, "newsalt": grant.newsalt}
        return flat(view, message, privileged.TOKEN_OK)

    def _privileged(self, request: Mapping[str, Any]) -> Reply:
        view = self._looked()
        command = self._opened(request)
        if command is None or not self.tokens or command.get("token") not in self._sessions:
            return flat(view, "check token err", privileged.TOKEN_REJECTED, "E")
        done = self._obeyed(lambda: self._obey_legacy(command))
        reply = flat(view, "API command OK") if done else flat(view, "command error", 132, "E")
        return {"enc": privileged.encrypt(self._key, json.dumps(reply).encode())}

    def _opened(self, request: Mapping[str, Any]) -> dict[str, Any] | None:
        if not self._key:
            return None
        try:
            command = json.loads(privileged.decrypt(self._key, str(request.get("data", ""))))
        except (DeviceError, ValueError):
            return None  # another password, or no ciphertext: the caller refuses the token
        return command if isinstance(command, dict) else None

    def _obey_legacy(self, command: Mapping[str, Any]) -> bool:
        match command.get("cmd"):
            case "power_off":
                self.miner.apply(Stop())
            case "power_on":
                self.miner.apply(self.configured)
            case "adjust_power_limit" if self.persona.api != "v1":
                watts = str(command.get("power_limit", ""))
                return watts.isdigit() and self._configure(PowerLimit(int(watts)))
            case "reboot":
                self._reboot()
            case str() as name if name in _MODES:
                return self._configure(Preset(_MODES[name]))
            case _:
                return False
        return True

    # API v3

    async def _serve_v3(self, reader: asyncio.StreamReader) -> bytes | None:
        length = v3_wire.frame_length(await reader.readexactly(v3_wire.HEADER_BYTES))
        request = json.loads(await reader.readexactly(length))
        if self._gone():
            return None
        command, param = str(request.get("cmd")), request.get("param")
        replay = self.persona.replay
        if replay is not None and not command.startswith("set."):
            key = command if param is None else f"{command} {param}"
            if key in replay:
                return v3_wire.frame(replay[key])
            return self._v3_reply(command, -2, "invalid command")
        if command.startswith("set."):
            return self._v3_write(command, request)
        message = v3(self._looked(), command, param, self.configured)
        if message is None:
            return self._v3_reply(command, -2, "invalid command")
        return self._v3_reply(command, 0, message)

    def _v3_write(self, command: str, request: Mapping[str, Any]) -> bytes:
        given, persona = request.get("ts"), self.persona
        now = int(persona.wall_clock())
        if not isinstance(given, int) or abs(given - now) > _CLOCK_TOLERANCE_S:
            return self._v3_reply(command, -4, "no permission")
        token = v3_wire.token(command, persona.password, v3_wire.Challenge(self._salt, given))
        if request.get("account") != persona.account or request.get("token") != token:
            return self._v3_reply(command, -4, "no permission")
        done = self._obeyed(lambda: self._obey_v3(command, request.get("param")))
        return self._v3_reply(command, 0 if done else -1, "ok" if done else "fail")

    def _v3_reply(self, command: str, code: int, message: object) -> bytes:
        when = int(self.persona.wall_clock())
        reply = {"code": code, "when": when, "msg": message, "desc": command}
        return v3_wire.frame(json.dumps(reply).encode())

    def _obey_v3(self, command: str, param: object) -> bool:
        match command, param:
            case "set.miner.service", "stop":
                self.miner.apply(Stop())
            case "set.miner.service", "start":
                self.miner.apply(self.configured)
            case "set.miner.power_limit", int(watts):
                return self._configure(PowerLimit(watts))
            case "set.miner.power_mode", str(name):
                return self._configure(Preset(name))
            case "set.system.reboot", None:
                self._reboot()
            case _:
                return False
        return True

    # both

    def _obeyed(self, obey: Callable[[], bool]) -> bool:
        """Carries a write out, unless the script says to lie about it."""
        return True if self.script.current is Misbehaviour.LIE else obey()

    def _configure(self, setpoint: Setpoint) -> bool:
        if isinstance(setpoint, Preset) and setpoint.name not in self.miner.model.presets:
            return False
        if isinstance(setpoint, PowerLimit) and setpoint.power_w > self.miner.model.rated.power_w:
            return False
        self.configured = setpoint
        if not isinstance(self.miner.setpoint, Stop):
            self.miner.apply(setpoint)
        return True

    def _reboot(self) -> None:
        self.miner.reboot()
        self._sessions.clear()
        self._booting = self.persona.boot_s > 0


async def read_json(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """One request; its end is where its JSON is whole. None when the client goes before that."""
    received = b""
    while len(received) <= MAX_REQUEST_BYTES:
        part = await reader.read(MAX_REQUEST_BYTES)
        if not part:
            return None
        received += part
        try:
            request = json.loads(received)
        except ValueError:
            continue
        return request if isinstance(request, dict) else None
    return None
