"""One Antminer on the network: the commands it is asked, and what a setpoint becomes."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from firmware_bridges.capabilities import MinerCapabilities, OperatingPoint
from firmware_bridges.errors import (
    DeviceError,
    DeviceRefusedError,
    DeviceTimeoutError,
    DeviceUnreachableError,
    NotAuthorisedError,
    NotSupportedError,
)
from firmware_bridges.miners.antminer.configuration import (
    MODE_KEYS,
    PRESET_NAMES,
    WorkMode,
    mode_for,
    with_mode,
    work_mode,
)
from firmware_bridges.miners.antminer.reading import antminer_reading
from firmware_bridges.miners.antminer.settings import AntminerSettings
from firmware_bridges.miners.cgminer import command_bytes, exchange, parse_reply, reply_source
from firmware_bridges.miners.deadline import Deadline
from firmware_bridges.miners.extract import Source
from firmware_bridges.miners.http import HttpDevice
from firmware_bridges.miners.secret import read_secret
from firmware_bridges.readings import MinerReading
from shared.setpoints import Setpoint

REFRESH_S: Final = 60.0
"""How often configuration and checks are read over HTTP, and twice how old a work mode may be; the
measurements come with every reading."""

_MEASURED: Final = ("stats", "pools")
_KEPT: Final = ("get_system_info", "get_miner_conf", "version")


class Antminer:
    """See `firmware_bridges.protocol.Miner`.

    Each reading asks `stats` and `pools` on port 4028. What changes rarely is asked once a minute
    and after every write: system info and version (kept), the configuration (kept, but no longer
    than two minutes) and the checks of `summary.cgi` (in that reading only).
    """

    def __init__(self, settings: AntminerSettings) -> None:
        self._settings = settings
        self._http: HttpDevice | None = None
        self._kept: dict[str, Source] = {}
        self._refreshed_s: float | None = None
        self._api_silent = False
        self._configured_s = 0.0

    async def capabilities(self) -> MinerCapabilities:
        """Without a password nothing can be written; the modes are those that settings allow."""
        if self._settings.password_file is None:
            return MinerCapabilities()
        names = [PRESET_NAMES[WorkMode.NORMAL]]
        if self._settings.low_power:
            names.append(PRESET_NAMES[WorkMode.LOW_POWER])
        return MinerCapabilities(
            stop=True,
            run=True,
            reboot=True,
            presets=tuple(OperatingPoint(name) for name in names),
            readback=frozenset({"mining", "preset", "hashrate_ths"}),
            settle_s=300.0,  # hashing restarts from cold after every write
        )

    async def read(self) -> MinerReading:
        """One snapshot; raises only when neither the API nor the web server gave anything."""
        deadline = Deadline(self._settings.deadline_s)
        refresh = self._refresh_is_due()
        asked = (*_MEASURED, "version") if refresh else _MEASURED
        if refresh and self._settings.password_file is not None:
            measured, fetched = await asyncio.gather(
                self._ask(asked, deadline), self._fetch_slow(deadline)
            )
        else:
            measured, fetched = await self._ask(asked, deadline), {}
        self._api_silent = not any(isinstance(reply, Mapping) for reply in measured.values())
        replies = measured | fetched
        if not any(isinstance(reply, Mapping) for reply in replies.values()):
            raise next(reply for reply in replies.values() if isinstance(reply, DeviceError))
        if refresh:
            self._keep(replies)
        if time.monotonic() - self._configured_s > 2 * REFRESH_S:
            self._forget_configuration()
        return antminer_reading(self._kept | replies)

    async def apply(self, setpoint: Setpoint) -> None:
        """Writes the work mode with the whole configuration around it.

        Nothing is written when the configuration has that mode already: a write restarts hashing.
        """
        why_not = (await self.capabilities()).why_not(setpoint)
        mode = mode_for(setpoint)
        if why_not is not None or mode is None:
            raise NotSupportedError(why_not or f"an Antminer has no mode for {setpoint!r}")
        deadline = Deadline(self._settings.deadline_s)
        configuration = await self._get("get_miner_conf", deadline)
        self._forget_configuration()
        if work_mode(configuration) is not mode:
            await self._set_configuration(with_mode(configuration, mode), deadline)

    async def reboot(self) -> None:
        """Restarts the control board. It often goes down before it answers, so once it has proved
        that it listens and lets us in, silence counts as going down."""
        if self._settings.password_file is None:
            raise NotSupportedError("no password_file: this miner is read only")
        deadline = Deadline(self._settings.deadline_s)
        await self._get("get_system_info", deadline)
        self._forget_configuration()
        left_s = deadline.left_s()
        try:
            await self._device().request("GET", "/cgi-bin/reboot.cgi", deadline_s=left_s)
        except (DeviceTimeoutError, DeviceUnreachableError):
            return

    async def close(self) -> None:
        """Ends the HTTP session."""
        if self._http is not None:
            await self._http.close()

    async def _ask(self, commands: tuple[str, ...], deadline: Deadline) -> dict[str, Source]:
        """Commands to the API one after the other; its board serves one connection at a time."""
        replies: dict[str, Source] = {}
        for at, command in enumerate(commands):
            try:
                reply = await exchange(
                    self._settings.host,
                    self._settings.api_port,
                    command_bytes(command),
                    deadline.left_s(),
                )
            except DeviceTimeoutError as error:
                return replies | dict.fromkeys(commands[at:], error)
            except DeviceError as error:
                replies[command] = error
            else:
                replies[command] = reply_source(reply, command)
        return replies

    async def _fetch_slow(self, deadline: Deadline) -> dict[str, Source]:
        replies: dict[str, Source] = {}
        for name, cgi in (
            ("get_miner_conf", "get_miner_conf"),
            ("get_system_info", "get_system_info"),
            ("web_summary", "summary"),
        ):
            try:
                replies[name] = await self._get(cgi, deadline)
            except DeviceError as error:
                replies[name] = error
        return replies

    def _keep(self, replies: Mapping[str, Source]) -> None:
        now_s = time.monotonic()
        for name in _KEPT:
            reply = replies.get(name)
            if not isinstance(reply, Mapping):
                continue
            if name == "get_miner_conf":
                self._configured_s = now_s
                reply = {key: reply[key] for key in MODE_KEYS if key in reply}  # no pool passwords
            self._kept[name] = reply
        self._refreshed_s = now_s

    def _refresh_is_due(self) -> bool:
        if self._refreshed_s is None or time.monotonic() - self._refreshed_s >= REFRESH_S:
            return True
        if self._api_silent:  # asleep, perhaps: the web server still tells
            return True
        return self._settings.password_file is not None and "get_miner_conf" not in self._kept

    def _forget_configuration(self) -> None:
        """What was read before a write must not pass for its read-back."""
        self._kept.pop("get_miner_conf", None)

    async def _get(self, cgi: str, deadline: Deadline) -> dict[str, Any]:
        reply = await self._device().request(
            "GET", f"/cgi-bin/{cgi}.cgi", deadline_s=deadline.left_s()
        )
        return parse_reply(reply.body)

    async def _set_configuration(self, configuration: dict[str, Any], deadline: Deadline) -> None:
        """POSTs the configuration; the reply is {"stats": "success", "code": "M000", ...}."""
        answer = await self._device().request_json(
            "POST",
            "/cgi-bin/set_miner_conf.cgi",
            json_body=configuration,
            deadline_s=deadline.left_s(),
        )
        stats = answer.get("stats") if isinstance(answer, dict) else None
        if stats != "success":
            code = answer.get("code") if isinstance(answer, dict) else None
            raise DeviceRefusedError(
                f"set_miner_conf: {str(answer)[:120]}", code if isinstance(code, str) else None
            )

    def _device(self) -> HttpDevice:
        """Opened at the first need, so that a missing password is this device's error."""
        if self._http is None:
            path = self._settings.password_file
            if path is None:
                raise NotAuthorisedError("no password_file in the settings")
            self._http = HttpDevice(
                self._settings.host,
                self._settings.http_port,
                deadline_s=self._settings.deadline_s,
                middlewares=(
                    aiohttp.DigestAuthMiddleware(self._settings.username, read_secret(path)),
                ),
            )
        return self._http
