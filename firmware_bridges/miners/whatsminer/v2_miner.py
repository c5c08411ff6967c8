"""A Whatsminer of API v1 or v2: a thin shell of I/O round `v2_reading` and `privileged`."""

import asyncio
import re

from firmware_bridges.capabilities import MinerCapabilities
from firmware_bridges.errors import (
    DeviceError,
    DeviceRefusedError,
    NotAuthorisedError,
    NotSupportedError,
)
from firmware_bridges.miners.cgminer import command_bytes, exchange, parse_reply, reply_source
from firmware_bridges.miners.deadline import Deadline
from firmware_bridges.miners.extract import Source
from firmware_bridges.miners.replies import Raw
from firmware_bridges.miners.secret import read_secret
from firmware_bridges.miners.whatsminer import privileged, v2_reading
from firmware_bridges.miners.whatsminer.settings import Api, WhatsminerSettings
from firmware_bridges.readings import Identity, MinerReading
from shared.measured import Reason, Unknown
from shared.setpoints import PowerLimit, Preset, Run, Setpoint, Stop

_IDENTITY_AGE_S = 900.0
_LIMIT_SINCE = (2, 0, 5)
_VERSION = re.compile(r"^(\d{1,3})\.(\d{1,3})\.(\d{1,3})")


class V2Miner:
    """One miner on TCP 4028; `api` is V1 or V2. One connection a command, one at a time."""

    def __init__(self, settings: WhatsminerSettings, api: Api) -> None:
        self._settings = settings
        self._api = api
        self._identity: tuple[float, Identity] | None = None
        self._version: tuple[int, ...] | None = None
        self._held: tuple[float, privileged.Session] | None = None

    async def capabilities(self, deadline: Deadline) -> MinerCapabilities:
        """A power limit in watts needs API 2.0.5."""
        if self._version is None and self._api is not Api.V1:
            reply = reply_source(await self._ask("get_version", deadline), "get_version")
            if isinstance(reply, DeviceError) and not isinstance(reply, DeviceRefusedError):
                raise reply
            self._learn(reply)
        return self._settings.capabilities(limits_power=self._limits_power())

    async def read(self, deadline: Deadline) -> MinerReading:
        """What is polled, and every 15 minutes what hardly changes."""
        v1 = self._api is Api.V1
        polled = v2_reading.POLLED if v1 else v2_reading.POLLED_V2
        replies = {command: await self._ask(command, deadline) for command in polled}
        sources = v2_reading.open_all(replies)
        return v2_reading.parse_reading(sources, await self._known_identity(sources, deadline))

    async def apply(self, setpoint: Setpoint, deadline: Deadline) -> None:
        """Privileged commands; a mode or a limit set while it is powered off powers it on."""
        refusal = (await self.capabilities(deadline)).why_not(setpoint)
        if refusal is not None:
            raise NotSupportedError(refusal)
        match setpoint:
            case Stop():
                await self._write("power_off", {"respbefore": "true"}, deadline)
            case Run():
                if self._settings.run_preset is not None:
                    await self._write(f"set_{self._settings.run_preset}_power", {}, deadline)
                await self._write("power_on", {}, deadline)
            case PowerLimit(power_w):
                await self._write("adjust_power_limit", {"power_limit": str(power_w)}, deadline)
                await self._power_on_if_off(deadline)
            case Preset(name):
                await self._write(f"set_{name}_power", {}, deadline)
                await self._power_on_if_off(deadline)

    async def reboot(self, deadline: Deadline) -> None:
        """Restarts the control board; its tokens die with it."""
        if self._settings.password_file is None:
            raise NotSupportedError("without a password_file this miner is only read")
        await self._write("reboot", {}, deadline)
        self._held = None

    async def _power_on_if_off(self, deadline: Deadline) -> None:
        if (await self.read(deadline)).mining is False:
            await self._write("power_on", {}, deadline)

    async def _ask(self, command: str, deadline: Deadline) -> Raw:
        settings = self._settings
        try:
            return await exchange(
                settings.host, settings.port, command_bytes(command), deadline.left_s()
            )
        except DeviceError as error:
            return error

    async def _known_identity(self, polled: dict[str, Source], deadline: Deadline) -> Identity:
        now = asyncio.get_running_loop().time()
        if self._identity is not None and now - self._identity[0] < _IDENTITY_AGE_S:
            return self._identity[1]
        rarely = v2_reading.RARELY if self._api is Api.V1 else v2_reading.RARELY_V2
        sources = dict(polled)
        for command in rarely:
            sources[command] = reply_source(await self._ask(command, deadline), command)
        self._learn(sources["get_version"])
        identity = v2_reading.parse_identity(sources)
        if not _worth_asking_again(identity):
            self._identity = (now, identity)
        return identity

    def _learn(self, get_version: Source) -> None:
        version = v2_reading.api_version(get_version)
        match = None if isinstance(version, Unknown) else _VERSION.match(version)
        if match is not None:
            self._version = tuple(int(part) for part in match.groups())

    def _limits_power(self) -> bool:
        return (
            self._api is not Api.V1 and self._version is not None and self._version >= _LIMIT_SINCE
        )

    async def _write(self, command: str, parameters: dict[str, str], deadline: Deadline) -> None:
        """With the token at hand, or else with a new one. A new one that is rejected is not
        followed by another: the password is wrong, and tokens are few."""
        kept = self._kept_session()
        if kept is not None:
            try:
                await self._send(kept, command, parameters, deadline)
            except NotAuthorisedError as error:
                if error.code != privileged.TOKEN_REJECTED:
                    raise
            else:
                return
        # never had one, or it expired, or the miner restarted: nothing was carried out so far
        await self._send(await self._new_session(deadline), command, parameters, deadline)

    async def _send(
        self,
        session: privileged.Session,
        command: str,
        parameters: dict[str, str],
        deadline: Deadline,
    ) -> None:
        reply = await self._exchange(privileged.seal(session, command, parameters), deadline)
        privileged.check(privileged.unseal(session, parse_reply(reply)), command)

    def _kept_session(self) -> privileged.Session | None:
        now = asyncio.get_running_loop().time()
        if self._held is None or now - self._held[0] >= privileged.RENEW_AFTER_S:
            return None
        return self._held[1]

    async def _new_session(self, deadline: Deadline) -> privileged.Session:
        self._held = None
        if self._settings.password_file is None:
            raise NotAuthorisedError("without a password_file this miner is only read")
        password = read_secret(self._settings.password_file)
        given_s = asyncio.get_running_loop().time()
        reply = parse_reply(await self._exchange(command_bytes("get_token"), deadline))
        session = privileged.session_from(privileged.grant_from(reply), password)
        self._held = (given_s, session)
        return session

    async def _exchange(self, request: bytes, deadline: Deadline) -> bytes:
        settings = self._settings
        return await exchange(settings.host, settings.port, request, deadline.left_s())


def _worth_asking_again(identity: Identity) -> bool:
    """Whether a part is missing that a miner which has it would give on another try."""
    passing = {Reason.TIMEOUT, Reason.UNREACHABLE, Reason.MALFORMED}
    parts = (identity.firmware, identity.model, identity.mac, identity.hostname)
    return any(isinstance(part, Unknown) and part.reason in passing for part in parts)
