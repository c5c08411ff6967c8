"""Births taken in: streams, devices and metrics become rows with ids."""

import hashlib

from sqlalchemy import Connection, Row, insert, select, update

from controller.changes import ChangeKind, record_change
from controller.clock import Clock
from controller.errors import MissingError
from controller.fleet.alarms import lower_orphaned_alarms, lower_own_alarms
from controller.fleet.streams import StreamKind, check_owner, lock_streams, make_stream
from controller.storage.tables import births, devices, metrics, nodes
from controller.storage.upsert import insert_missing
from shared.errors import BadInputError
from shared.messages.birth import Birth


def take_birth(conn: Connection, clock: Clock, node: str, birth: Birth, payload: bytes) -> None:
    """Stores a birth once; the newest one also becomes what the node is now.

    Raises `MissingError` for an unknown node, `BadInputError` for another node's birth or streams,
    or when the number was used before with another meaning.
    """
    now_ms = clock.now_ms()
    if birth.node != node:
        raise BadInputError("node", repr(birth.node), f"{node}, the node of the topic")
    if conn.scalar(select(nodes.c.name).where(nodes.c.name == node)) is None:
        raise MissingError("node", node)
    _take_streams(conn, node, birth, now_ms)
    locked = select(nodes).where(nodes.c.name == node).with_for_update(key_share=True)
    row = conn.execute(locked).one()
    first_of_stream = _newest_number(conn, birth.streams["telemetry"]) is None
    if not _store(conn, node, birth, payload, now_ms):
        return
    _declare_metrics(conn, birth)
    current = _is_current(row, birth, first_of_stream=first_of_stream)
    _declare_devices(conn, node, birth, now_ms, current=current)
    if current:
        _become(conn, clock, row, birth)


def _take_streams(conn: Connection, node: str, birth: Birth, now_ms: int) -> None:
    ids = {StreamKind(kind): stream for kind, stream in birth.streams.items()}
    for kind, stream in sorted(ids.items(), key=lambda item: item[1]):
        make_stream(conn, stream, node, kind, now_ms)
    known = lock_streams(conn, ids.values())
    for kind, stream in ids.items():
        check_owner(known[stream], node, kind)


def _newest_number(conn: Connection, stream: int) -> int | None:
    query = select(births.c.number).where(births.c.stream == stream)
    return conn.scalar(query.order_by(births.c.number.desc()).limit(1))


def _store(conn: Connection, node: str, birth: Birth, payload: bytes, now_ms: int) -> bool:
    """Whether anything is new. The same number may say new facts, never new aliases."""
    stream = birth.streams["telemetry"]
    key = (births.c.stream == stream) & (births.c.number == birth.number)
    digest = hashlib.sha256(payload).digest()
    known = conn.execute(select(births.c.sha256, births.c.body).where(key)).one_or_none()
    if known is None:
        conn.execute(
            insert(births).values(
                stream=stream,
                number=birth.number,
                node=node,
                body=payload,
                sha256=digest,
                received_ms=now_ms,
            )
        )
        return True
    if known.sha256 == digest:
        return False
    if _aliases(Birth.decode(known.body)) != _aliases(birth):
        raise BadInputError(
            "number", f"{birth.number} was used with other aliases", "a number of its own"
        )
    conn.execute(update(births).where(key).values(body=payload, sha256=digest, received_ms=now_ms))
    return True


def _aliases(birth: Birth) -> tuple[dict[int, str], dict[int, tuple[str, str, str]]]:
    return (
        {device.alias: device.name for device in birth.devices},
        {metric.alias: (metric.name, metric.unit, metric.type) for metric in birth.metrics},
    )


def _is_current(node: Row[tuple[object, ...]], birth: Birth, *, first_of_stream: bool) -> bool:
    """Whether this birth says what the node is now, and is not an older one sent again.

    A new database of the agent starts a new stream; it is the node's from its first birth on.
    """
    if node.telemetry_stream == birth.streams["telemetry"]:
        return bool(birth.number >= node.birth_number)
    return first_of_stream


def _declare_metrics(conn: Connection, birth: Birth) -> None:
    insert_missing(
        conn,
        metrics,
        [{"name": m.name, "unit": m.unit, "type": m.type.value} for m in birth.metrics],
        ["name", "unit", "type"],
    )


def _declare_devices(
    conn: Connection, node: str, birth: Birth, now_ms: int, *, current: bool
) -> None:
    rows = [
        {
            "node": node,
            "name": device.name,
            "kind": device.kind,
            "family": device.family,
            "facts": dict(device.facts),
            "declared": current,
            "first_seen_ms": now_ms,
        }
        for device in birth.devices
    ]
    known = dict(
        conn.execute(select(devices.c.name, devices.c.id).where(devices.c.node == node)).all()
    )
    insert_missing(conn, devices, rows, ["node", "name"])
    if not current:
        return
    for row in rows:
        if row["name"] in known:
            said = {key: row[key] for key in ("kind", "family", "facts")}
            conn.execute(
                update(devices)
                .where(devices.c.id == known[str(row["name"])])
                .values(**said, declared=True, version=devices.c.version + 1)
            )
    gone = [name for name in known if name not in {device.name for device in birth.devices}]
    for start in range(0, len(gone), 500):
        conn.execute(
            update(devices)
            .where(devices.c.node == node, devices.c.name.in_(gone[start : start + 500]))
            .values(declared=False, version=devices.c.version + 1)
        )


def _become(conn: Connection, clock: Clock, node: Row[tuple[object, ...]], birth: Birth) -> None:
    now_ms = clock.now_ms()
    conn.execute(
        update(nodes)
        .where(nodes.c.name == node.name)
        .values(
            boot_id=birth.boot_id,
            software=birth.software,
            telemetry_stream=birth.streams["telemetry"],
            event_stream=birth.streams["event"],
            birth_number=birth.number,
            birth_received_ms=now_ms,
            hashes=dict(birth.hashes),
            last_seen_ms=now_ms,
        )
    )
    if node.event_stream is not None and node.event_stream != birth.streams["event"]:
        lower_orphaned_alarms(conn, str(node.name), birth.streams["event"], now_ms)
    if node.boot_id != birth.boot_id:
        lower_own_alarms(conn, str(node.name), now_ms)
    record_change(conn, clock, ChangeKind.NODE, str(node.name), str(node.name))
