"""The session that LuxOS wants for writes: at most one a miner, gone after a minute unused.

Source: Luxor's documentation, "Session management", and `logon` in luxos-tooling (code 402 is
"Another session is active"). A session keeps clients from writing at the same time; it is no
security, so there is no password.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from firmware_bridges.errors import (
    DeviceError,
    DeviceRefusedError,
    MalformedReplyError,
    NotSupportedError,
)
from firmware_bridges.miners.cgminer import (
    command_bytes,
    exchange,
    expect_success,
    parse_reply,
)
from firmware_bridges.miners.deadline import Deadline
from firmware_bridges.miners.extract import text
from shared.measured import Unknown

SESSION_BUSY: Final = 402


class SessionBusyError(DeviceRefusedError):
    """Another client holds the miner's session; it ends when that client logs off or after a
    minute without use."""


class Connection:
    """Commands to one miner, each on a connection of its own, all within one deadline."""

    def __init__(self, host: str, port: int, deadline_s: float) -> None:
        self._host = host
        self._port = port
        self._deadline = Deadline(deadline_s)

    async def ask(self, command: str, *parameters: str) -> bytes:
        """The raw reply; raises as `cgminer.exchange`."""
        request = command_bytes(command, ",".join(parameters) if parameters else None)
        return await exchange(self._host, self._port, request, self._deadline.left_s())

    async def order(self, command: str, *parameters: str) -> dict[str, Any]:
        """The reply of a command that must succeed; `DeviceRefusedError` when it does not.

        A parameter with a comma cannot be sent: the API splits there.
        """
        if any("," in parameter for parameter in parameters):
            raise NotSupportedError(f"{command}: a comma in {parameters!r}")
        return expect_success(parse_reply(await self.ask(command, *parameters)), command)


@asynccontextmanager
async def session(connection: Connection) -> AsyncIterator[str]:
    """Logs on, yields the session's id and logs off; `SessionBusyError` when it is taken."""
    session_id = await _log_on(connection)
    try:
        yield session_id
    finally:
        await _log_off(connection, session_id)


async def _log_on(connection: Connection) -> str:
    try:
        reply = await connection.order("logon")
    except DeviceRefusedError as error:
        if error.code == SESSION_BUSY:
            raise SessionBusyError(str(error), SESSION_BUSY) from error
        raise
    session_id = text(reply, "SESSION", 0, "SessionID")
    if isinstance(session_id, Unknown):
        raise MalformedReplyError(f"logon: no SessionID ({session_id.detail})")
    return session_id


async def _log_off(connection: Connection, session_id: str) -> None:
    try:
        await connection.order("logoff", session_id)
    except DeviceError:
        return  # the write counts; a session that could not be ended ends itself in a minute
