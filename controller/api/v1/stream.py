"""`/api/v1/stream`: what changes, as it is committed."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel
from sqlalchemy import Connection, Row, Table, select

from controller.api.context import Context, context_of, has_bearer, has_session
from controller.api.v1.commands.responses import CommandView
from controller.api.v1.events.responses import NodeEvent
from controller.changes import Change, ChangeKind
from controller.storage.tables import commands, events
from shared.time import from_ms

POLICY_VIOLATION = 1008
_SEND_TIMEOUT_S = 10.0
_MOST_SHOWN = 200

router = APIRouter()


@router.websocket("/stream")
async def stream(socket: WebSocket) -> None:
    """Sends `{"changes": [...]}`: kind, node, subject and time of each change; events and commands
    whole. A client that does not read is cut off; one that lost the connection reads anew."""
    context = context_of(socket)
    if not _may_listen(socket, context):
        await socket.close(POLICY_VIOLATION)
        return
    cursor = context.live.cursor
    await socket.accept()
    sender = asyncio.create_task(_send(socket, context, cursor))
    receiver = asyncio.create_task(_until_closed(socket))
    try:
        await asyncio.wait({sender, receiver}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sender, receiver):
            task.cancel()
        await asyncio.gather(sender, receiver, return_exceptions=True)


def _may_listen(socket: WebSocket, context: Context) -> bool:
    """A browser sends its cookie from any page: then the page must be ours."""
    if has_bearer(context, socket):
        return True
    origin = socket.headers.get("origin", "")
    ours = origin.partition("://")[2] == socket.headers.get("host")
    return ours and has_session(context, socket)


async def _send(socket: WebSocket, context: Context, cursor: int) -> None:
    async for told in context.live.changes(cursor):
        text = await asyncio.to_thread(_shown, context, told)
        await asyncio.wait_for(socket.send_text(text), _SEND_TIMEOUT_S)


async def _until_closed(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


def _shown(context: Context, told: Sequence[Change]) -> str:
    with context.storage.read() as conn:
        whole = {
            ChangeKind.EVENT: _read(conn, events, _ids(told, ChangeKind.EVENT, int), NodeEvent.of),
            ChangeKind.COMMAND: _read(
                conn, commands, _ids(told, ChangeKind.COMMAND, str), CommandView.of
            ),
        }
    shown = [
        {
            "kind": change.kind.value,
            "node": change.node,
            "subject": change.subject,
            "time": from_ms(change.time_ms).isoformat(),
            "data": whole.get(change.kind, {}).get(change.subject),
        }
        for change in told
    ]
    return json.dumps({"changes": shown})


def _ids(told: Sequence[Change], kind: ChangeKind, type_: Callable[[str], Any]) -> list[Any]:
    """The newest of the subjects; older ones are told without their data."""
    return [type_(change.subject) for change in told if change.kind is kind][-_MOST_SHOWN:]


def _read(
    conn: Connection, table: Table, ids: list[Any], show: Callable[[Row[Any]], BaseModel]
) -> dict[str, Any]:
    if not ids:
        return {}
    rows = conn.execute(select(table).where(table.c.id.in_(ids)))
    return {str(row.id): show(row).model_dump(mode="json") for row in rows}
