"""One LuxOS miner on the network: the commands it is asked, and what a setpoint becomes."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from firmware_bridges.capabilities import MinerCapabilities, PowerRange
from firmware_bridges.errors import (
    DeviceError,
    DeviceRefusedError,
    DeviceTimeoutError,
    DeviceUnreachableError,
    MalformedReplyError,
    NotSupportedError,
)
from firmware_bridges.miners.cgminer import expect_success, parse_reply, reply_source
from firmware_bridges.miners.extract import ABSENT, Source, integer, items
from firmware_bridges.miners.luxos.reading import (
    atm_enabled,
    curtailed,
    luxos_reading,
    operating_points,
)
from firmware_bridges.miners.luxos.session import Connection, session
from firmware_bridges.miners.luxos.settings import LuxosSettings
from firmware_bridges.readings import MinerReading
from shared.measured import Unknown
from shared.setpoints import PowerLimit, Preset, Run, Setpoint, Stop

DETAILS_S: Final = 300.0
"""How often version, voltages and chip lists are read; the measurements come with every reading."""

_MEASURED: Final = (
    "config", "summary", "stats", "devs", "temps", "fans", "pools", "power", "events", "atm",
)  # fmt: skip


class LuxosMiner:
    """See `firmware_bridges.protocol.Miner`.

    A reading is one request with ten commands (LuxOS takes parameterless commands joined by "+":
    Luxor's documentation, "Introduction"), and every five minutes the boards' details besides.
    """

    def __init__(self, settings: LuxosSettings) -> None:
        self._settings = settings
        self._joined = True
        self._version: Source = ABSENT
        self._detailed_s: float | None = None

    async def capabilities(self) -> MinerCapabilities:
        """The profiles the miner has; a power range where it runs in power-targeting mode."""
        connection = self._connect()
        replies = await self._ask(connection, ("profiles", "atm"))
        points = operating_points(replies["profiles"])
        if isinstance(points, Unknown):
            raise _as_error(replies["profiles"], points)
        return MinerCapabilities(
            stop=True,
            run=True,
            reboot=True,
            power_limit=_power_range(replies["atm"]),
            presets=points,
            readback=frozenset({"mining", "preset", "power_limit_w", "power_w", "hashrate_ths"}),
            settle_s=120.0,
        )

    async def read(self) -> MinerReading:
        """One snapshot; raises when no command could be read."""
        connection = self._connect()
        replies = await self._ask(connection, _MEASURED)
        if not any(isinstance(reply, Mapping) for reply in replies.values()):
            raise next(reply for reply in replies.values() if isinstance(reply, DeviceError))
        if self._detailed_s is None or time.monotonic() - self._detailed_s >= DETAILS_S:
            replies |= await self._details(connection, replies["devs"])
        return luxos_reading(replies | {"version": self._version})

    async def apply(self, setpoint: Setpoint) -> None:
        """Curtails, wakes up, or sets a profile or power target, within one session.

        A profile set while the miner sleeps is followed by a wake-up. `NotSupportedError` for a
        profile while ATM is on and `disable_atm` is not set; `SessionBusyError` when another client
        holds the session.
        """
        connection = self._connect()
        replies = await self._ask(connection, ("config", "profiles", "atm"))
        config = replies["config"]
        if isinstance(config, DeviceError):
            raise config
        self._detailed_s = None
        match setpoint:
            case Stop():
                await self._write(connection, [("curtail", "sleep")])
            case Run():
                profile = self._settings.run_profile
                steps = [] if profile is None else self._profile_steps(profile, replies)
                await self._write(connection, [*steps, *_wake_up(config)])
            case Preset(name):
                steps = self._profile_steps(name, replies)
                await self._write(connection, [*steps, *_wake_up(config)])
            case PowerLimit(power_w):
                steps = _power_steps(power_w, replies["atm"])
                await self._write(connection, [*steps, *_wake_up(config)])

    async def reboot(self) -> None:
        """Restarts the control board. Once it gave us a session, silence counts as going down."""
        connection = self._connect()
        async with session(connection) as session_id:
            self._detailed_s = None
            try:
                await connection.order("rebootdevice", session_id)
            except (DeviceTimeoutError, DeviceUnreachableError):
                return

    async def close(self) -> None:
        """Nothing is held between calls."""

    def _connect(self) -> Connection:
        settings = self._settings
        return Connection(settings.host, settings.port, settings.deadline_s)

    async def _write(self, connection: Connection, steps: Sequence[tuple[str, ...]]) -> None:
        if not steps:
            return
        async with session(connection) as session_id:
            for command, *parameters in steps:
                await connection.order(command, session_id, *parameters)

    def _profile_steps(self, name: str, replies: Mapping[str, Source]) -> list[tuple[str, ...]]:
        points = operating_points(replies["profiles"])
        if isinstance(points, Unknown):
            raise _as_error(replies["profiles"], points)
        why_not = MinerCapabilities(presets=points).why_not(Preset(name))
        if why_not is not None:
            raise NotSupportedError(why_not)
        if atm_enabled(replies["config"]) is not True:
            return [("profileset", name)]
        if not self._settings.disable_atm:
            raise NotSupportedError(
                f"LuxOS refuses profile {name!r} while ATM is on; set disable_atm to turn it off"
            )
        return [("atmset", "enabled=false"), ("profileset", name)]

    async def _ask(self, connection: Connection, commands: Sequence[str]) -> dict[str, Source]:
        """The commands' replies, in one request where the miner takes it."""
        if self._joined:
            try:
                return _split(await connection.ask("+".join(commands)), commands)
            except DeviceRefusedError:
                self._joined = False  # an old version: one by one from now on
            except DeviceError as error:
                return dict.fromkeys(commands, error)
        return {command: await _one(connection, command) for command in commands}

    async def _details(self, connection: Connection, devs: Source) -> dict[str, Source]:
        """Voltage and chips of each board of `devs`; the version is kept."""
        version = await _one(connection, "version")
        if isinstance(version, Mapping) or not isinstance(self._version, Mapping):
            self._version = version
        details: dict[str, Source] = {}
        boards = items(devs, "DEVS", most=16)
        for device in () if isinstance(boards, Unknown) else boards:
            board = integer(device, "ID", high=63)
            if isinstance(board, Unknown):
                continue
            for command in ("voltageget", "healthchipget"):
                details[f"{command}_{board}"] = await _one(connection, command, str(board))
        self._detailed_s = time.monotonic()
        return details


async def _one(connection: Connection, command: str, *parameters: str) -> Source:
    try:
        reply = await connection.ask(command, *parameters)
    except DeviceError as error:
        return error
    return reply_source(reply, command)


def _split(raw: bytes, commands: Sequence[str]) -> dict[str, Source]:
    """A joined reply, {"summary": [{...}], "pools": [{...}], "id": 1}, into its parts.

    `DeviceRefusedError` when the whole was refused, `MalformedReplyError` when it is no reply.
    """
    reply = parse_reply(raw)
    if "STATUS" in reply and not any(command in reply for command in commands):
        expect_success(reply, "joined commands")
        raise MalformedReplyError("joined commands: an answer to none of them")
    return {command: _part(reply.get(command), command) for command in commands}


def _part(part: Any, command: str) -> Source:
    if not isinstance(part, list) or not part or not isinstance(part[0], dict):
        return MalformedReplyError(f"{command}: not in the joined reply")
    try:
        return expect_success(part[0], command)
    except DeviceError as error:
        return error


def _wake_up(config: Source) -> list[tuple[str, ...]]:
    """A wake-up unless the miner is known to be awake."""
    return [] if curtailed(config) is False else [("curtail", "wakeup")]


def _power_range(atm: Source) -> PowerRange | None:
    """What `powertargetset` takes, where the miner is in power-targeting mode (Luxor's
    documentation, "atm": PowerMin and PowerLimit)."""
    least, most = integer(atm, "ATM", 0, "PowerMin"), integer(atm, "ATM", 0, "PowerLimit")
    if isinstance(least, Unknown) or isinstance(most, Unknown) or not 0 < least <= most:
        return None
    return PowerRange(least, most)


def _power_steps(power_w: int, atm: Source) -> list[tuple[str, ...]]:
    limits = _power_range(atm)
    why_not = MinerCapabilities(power_limit=limits).why_not(PowerLimit(power_w))
    if why_not is not None:
        raise NotSupportedError(why_not)
    return [("powertargetset", f"power={power_w}")]


def _as_error(reply: Source, unknown: Unknown) -> DeviceError:
    return reply if isinstance(reply, DeviceError) else MalformedReplyError(unknown.detail)
