"""What nodes are held against: the boots that were online and the hashes that were accepted."""

import hashlib
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select, update

from controller.detection.fleet_rules import (
    Boot,
    Born,
    Known,
    Noticed,
    accepted_after,
    boots_after,
    judge_birth,
    returns,
    tells_of_now,
)
from controller.detection.kinds import SecurityKind
from controller.detection.report import report
from controller.storage.tables import births, node_baselines, nodes
from controller.storage.upsert import insert_missing
from shared.messages.birth import Birth
from shared.messages.state import State


def watch_birth(
    conn: Connection,
    birth: Birth,
    payload: bytes,
    now_ms: int,
    allowed_software: Sequence[str] = (),
) -> None:
    """Reports what a birth gives away; called in the transaction that takes it in, before it is.

    The node must be its own. One that is known already says nothing new.
    """
    row = conn.execute(select(nodes).where(nodes.c.name == birth.node)).one_or_none()
    stream = birth.streams["telemetry"]
    before = conn.execute(
        select(births.c.number, births.c.sha256).where(births.c.stream == stream)
    ).all()
    digest = hashlib.sha256(payload).digest()
    if row is None or any(one.number == birth.number and one.sha256 == digest for one in before):
        return
    boots, hashes = _baseline(conn, birth.node, now_ms)
    known = Known(row.telemetry_stream, row.birth_number, row.boot_id, boots, hashes)
    born = Born(
        telemetry_stream=stream,
        number=birth.number,
        boot_id=birth.boot_id,
        software=birth.software,
        hashes=birth.hashes,
        stream_is_new=not before,
    )
    for noticed in judge_birth(known, born, allowed_software):
        report_of(conn, birth.node, noticed, now_ms)
    if tells_of_now(boots, birth.boot_id):
        accepted = accepted_after(hashes, birth.hashes)
        if accepted != hashes:
            _keep(conn, birth.node, now_ms, hashes=accepted)


def watch_state(conn: Connection, node: str, state: State, now_ms: int) -> None:
    """Reports a boot that is online again behind a later one; called before the state is taken."""
    if not state.online or conn.scalar(select(nodes.c.name).where(nodes.c.name == node)) is None:
        return
    boots, _hashes = _baseline(conn, node, now_ms)
    boot = Boot(state.boot_id, state.time_ms)
    if returns(boots, boot):
        kind = SecurityKind.AGENT_AT_TWO_PLACES
        detail = {"seen_by": "states", "boots": sorted({boots[-1].id, boot.id})}
        report(conn, kind=kind, subject=node, detail=detail, now_ms=now_ms)
    after = boots_after(boots, boot)
    if after != boots:
        _keep(conn, node, now_ms, recent=[[one.id, one.told_ms] for one in after])


def accept_hash(conn: Connection, node: str, name: str, sha256: str, now_ms: int) -> None:
    """Later births are held against this one."""
    _boots, hashes = _baseline(conn, node, now_ms)
    _keep(conn, node, now_ms, hashes={**hashes, name: sha256})


def report_of(conn: Connection, node: str, noticed: Noticed, now_ms: int) -> None:
    """Reports what was noticed of a node."""
    report(conn, kind=noticed.kind, subject=node, detail=noticed.detail, now_ms=now_ms)


def _baseline(
    conn: Connection, node: str, now_ms: int
) -> tuple[tuple[Boot, ...], Mapping[str, str]]:
    """The boots and hashes, locked; made empty where there are none."""
    made = {"node": node, "recent": [], "hashes": {}, "updated_ms": now_ms}
    insert_missing(conn, node_baselines, [made], ["node"])
    query = select(node_baselines).where(node_baselines.c.node == node).with_for_update()
    row = conn.execute(query).one()
    return tuple(Boot(boot_id, told_ms) for boot_id, told_ms in row.recent), row.hashes


def _keep(conn: Connection, node: str, now_ms: int, **values: object) -> None:
    conn.execute(
        update(node_baselines)
        .where(node_baselines.c.node == node)
        .values(**values, updated_ms=now_ms, version=node_baselines.c.version + 1)
    )
