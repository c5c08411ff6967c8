"""`/api/v1/stream`: what changes, as it is committed."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, WebSocket
from pydantic import BaseModel
from sqlalchemy import Connection, Row, Table, select

from controller.access.permissions import COMPANY, Permission
from controller.api.context import Context, context_of
from controller.api.guard import POLICY_VIOLATION, Needs, Permit
from controller.api.problems import ProblemError
from controller.api.v1.commands.responses import CommandView
from controller.api.v1.events.responses import NodeEvent
from controller.changes import Change, ChangeKind
from controller.storage.tables import commands, events, nodes
from shared.time import from_ms

_SEND_TIMEOUT_S = 10.0
_ASK_AGAIN_S = 5.0
_MOST_SHOWN = 200

router = APIRouter()


_NEEDS = Needs(Permission.FLEET_READ)
Listener = Annotated[Permit, Depends(_NEEDS)]


@router.websocket("/stream")
async def stream(socket: WebSocket, permit: Listener) -> None:
    """Sends `{"changes": [...]}`: kind, node, subject and time of each change in reach; events and
    commands whole, where the listener may read them. A client that does not read is cut off; one
    that lost the connection reads anew. It ends when its session or token does."""
    context = context_of(socket)
    cursor = context.live.cursor
    await socket.accept()
    sender = asyncio.create_task(_send(socket, context, permit, cursor))
    receiver = asyncio.create_task(_until_closed(socket))
    try:
        await asyncio.wait({sender, receiver}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sender, receiver):
            task.cancel()
        await asyncio.gather(sender, receiver, return_exceptions=True)


async def _send(socket: WebSocket, context: Context, permit: Permit, cursor: int) -> None:
    asked_s = time.monotonic()
    async for told in context.live.changes(cursor):
        if time.monotonic() - asked_s >= _ASK_AGAIN_S:
            try:
                permit = await asyncio.to_thread(_NEEDS.permit, socket, context)
            except ProblemError:
                await socket.close(POLICY_VIOLATION)
                return
            asked_s = time.monotonic()
        text = await asyncio.to_thread(_shown, context, permit, told)
        if text is not None:
            await asyncio.wait_for(socket.send_text(text), _SEND_TIMEOUT_S)


async def _until_closed(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


def _shown(context: Context, permit: Permit, told: Sequence[Change]) -> str | None:
    with context.storage.read() as conn:
        told = _in_reach(conn, permit, told)
        whole = {
            ChangeKind.EVENT: _read(conn, events, _ids(told, ChangeKind.EVENT, int), NodeEvent.of),
            ChangeKind.COMMAND: _read(
                conn, commands, _ids(told, ChangeKind.COMMAND, str), CommandView.of
            ),
        }
    if not told:
        return None
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


_ALSO_NEEDED = {
    ChangeKind.EVENT: Permission.EVENTS_READ,
    ChangeKind.COMMAND: Permission.COMMANDS_READ,
}


def _in_reach(conn: Connection, permit: Permit, told: Sequence[Change]) -> list[Change]:
    """The changes of nodes and sites that the listener may see, of kinds that he may see.

    What is told of neither a node nor a site goes to whoever may see the whole company."""
    caller = permit.caller
    reach = {kind: Permit(caller, needed) for kind, needed in _ALSO_NEEDED.items()}
    names = {change.node for change in told if change.node is not None}
    of_node = {
        row.name: row.site_id
        for row in conn.execute(
            select(nodes.c.name, nodes.c.site_id).where(nodes.c.name.in_(sorted(names)))
        )
    }

    def seen(change: Change) -> bool:
        needed = reach.get(change.kind, permit)
        if needed.sites is None:
            return caller.may(needed.permission, COMPANY)
        site = change.subject if change.kind is ChangeKind.SITE else of_node.get(change.node or "")
        return site is not None and needed.reaches_site(site)

    return [change for change in told if seen(change)]


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
