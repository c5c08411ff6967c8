"""A miner of the REST API: a thin shell of I/O round `rest_reading`.

Source: Braiins OS Public REST API (the gRPC API of braiins/bos-plus-api over HTTP). A login gives a
token that goes into the Authorization header of everything else and expires.
"""

import asyncio
from collections.abc import Iterable

from firmware_bridges.capabilities import MinerCapabilities, PowerRange
from firmware_bridges.errors import (
    DeviceError,
    DeviceRefusedError,
    MalformedReplyError,
    NotAuthorisedError,
    NotSupportedError,
)
from firmware_bridges.miners.braiins import rest_reading
from firmware_bridges.miners.braiins.settings import BraiinsSettings
from firmware_bridges.miners.deadline import Deadline
from firmware_bridges.miners.http import HttpDevice
from firmware_bridges.miners.replies import Raw
from firmware_bridges.miners.secret import read_secret
from firmware_bridges.readings import MinerReading
from shared.setpoints import PowerLimit, Preset, Run, Setpoint, Stop

BASE = "/api/v1/"
_UNAUTHORISED = 401


class RestMiner:
    """One miner; its session in `http` stays open between polls while the miner allows."""

    def __init__(self, settings: BraiinsSettings, http: HttpDevice) -> None:
        self._settings = settings
        self._http = http
        self._token: str | None = None
        self._range: PowerRange | None = None

    async def capabilities(self, deadline: Deadline) -> MinerCapabilities:
        """The power range is the tuner's, asked once."""
        if self._settings.password_file is not None and self._range is None:
            self._range = await self._told_range(deadline)
        return self._settings.capabilities(self._range)

    async def read(self, deadline: Deadline) -> MinerReading:
        """Seven requests, two at a time."""
        await self._log_in_once(deadline)
        replies = await self._attempted(rest_reading.POLLED, deadline)
        expired = [endpoint for endpoint, reply in replies.items() if _is_expired(reply)]
        if expired and self._settings.password_file is not None:
            self._token = None
            await self._log_in_once(deadline)
            replies |= await self._attempted(expired, deadline)
        return rest_reading.parse_reading(replies)

    async def apply(self, setpoint: Setpoint, deadline: Deadline) -> None:
        """Stop pauses and Run resumes, so that bosminer keeps what it tuned; a bosminer that is not
        running at all is started. A target set while it is paused resumes it."""
        refusal = (await self.capabilities(deadline)).why_not(setpoint)
        if refusal is not None:
            raise NotSupportedError(refusal)
        match setpoint:
            case Stop():
                await self._call("PUT", "actions/pause", deadline)
            case Run():
                if self._settings.run_power_w is not None:
                    await self._target(self._settings.run_power_w, deadline)
                await self._resume(deadline)
            case PowerLimit(power_w):
                await self._target(power_w, deadline)
                if (await self.read(deadline)).mining is False:
                    await self._resume(deadline)
            case Preset():
                raise NotSupportedError("Braiins OS has no presets")

    async def _target(self, power_w: int, deadline: Deadline) -> None:
        await self._call("PUT", "performance/power-target", deadline, {"watt": power_w})

    async def _resume(self, deadline: Deadline) -> None:
        reply = await self._call("GET", rest_reading.DETAILS, deadline)
        status = rest_reading.status_of(rest_reading.opened(reply, rest_reading.DETAILS))
        started = status != rest_reading.NOT_STARTED
        await self._call("PUT", f"actions/{'resume' if started else 'start'}", deadline)

    async def reboot(self, deadline: Deadline) -> None:
        """Restarts the control board."""
        if self._settings.password_file is None:
            raise NotSupportedError("without a password_file this miner is only read")
        await self._call("PUT", "actions/reboot", deadline)
        self._token = None

    async def _told_range(self, deadline: Deadline) -> PowerRange | None:
        try:
            reply = await self._call("GET", rest_reading.CONSTRAINTS, deadline)
        except NotAuthorisedError:
            raise
        except DeviceRefusedError:
            return None  # an early version, which does not tell
        source = rest_reading.opened(reply, rest_reading.CONSTRAINTS)
        if isinstance(source, DeviceError):
            raise source
        return rest_reading.power_range(source)

    async def _attempted(self, endpoints: Iterable[str], deadline: Deadline) -> dict[str, Raw]:
        wanted = tuple(endpoints)
        replies = await asyncio.gather(*(self._attempt(endpoint, deadline) for endpoint in wanted))
        return dict(zip(wanted, replies, strict=True))

    async def _attempt(self, endpoint: str, deadline: Deadline) -> Raw:
        try:
            return await self._send("GET", endpoint, deadline, None)
        except DeviceError as error:
            return error

    async def _call(
        self,
        method: str,
        endpoint: str,
        deadline: Deadline,
        body: dict[str, int] | None = None,
    ) -> bytes:
        await self._log_in_once(deadline)
        try:
            return await self._send(method, endpoint, deadline, body)
        except NotAuthorisedError as error:
            if error.code != _UNAUTHORISED or self._settings.password_file is None:
                raise
            self._token = None  # expired: nothing was carried out
            await self._log_in_once(deadline)
            return await self._send(method, endpoint, deadline, body)

    async def _send(
        self, method: str, endpoint: str, deadline: Deadline, body: dict[str, int] | None
    ) -> bytes:
        headers = {} if self._token is None else {"Authorization": self._token}
        reply = await self._http.request(
            method, BASE + endpoint, json_body=body, headers=headers, deadline_s=deadline.left_s()
        )
        return reply.body

    async def _log_in_once(self, deadline: Deadline) -> None:
        settings = self._settings
        if self._token is not None or settings.password_file is None:
            return
        login = {"username": settings.username, "password": read_secret(settings.password_file)}
        reply = await self._http.request(
            "POST", BASE + "auth/login", json_body=login, deadline_s=deadline.left_s()
        )
        answer = reply.json("auth/login")
        token = answer.get("token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise MalformedReplyError("auth/login: no token in the answer")
        self._token = token


def _is_expired(reply: Raw) -> bool:
    return isinstance(reply, NotAuthorisedError) and reply.code == _UNAUTHORISED
