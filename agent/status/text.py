"""The status as text for a terminal, from the JSON that the agent serves."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.status.words import age, ago, clock_words

MOST_LINES = 2_000


def as_text(data: Mapping[str, Any]) -> str:
    """A readable table. `data` is a `StatusReport` as plain data; `KeyError` when it is not."""
    now_ms = data["time_ms"]
    link, buffer, clock, commands = (data[k] for k in ("link", "buffer", "clock", "commands"))
    trust = clock_words(clock["synchronised"], clock["error_ms"], jumped=clock["jumped"])
    lines = [
        f"{data['node']} ({data['role']}), {data['software']}, up {_seconds(data['uptime_s'])}",
        f"link      {'connected' if link['connected'] else 'down: ' + link['problem']}"
        f", last ack {ago(link['last_ack_ms'], now_ms)}",
        "not acked " + ", ".join(f"{name} {count}" for name, count in link["outstanding"].items()),
        f"buffer    {buffer['used_bytes'] / 2**20:.1f} of {buffer['budget_bytes'] / 2**20:.0f} MiB"
        + (", the disk is full" if buffer["disk_full"] else ""),
        f"clock     {trust}",
        f"commands  {commands['received']} received, {commands['admitted']} admitted",
        "",
        *_table(("device", "kind", "state", "read", "W", "TH/s", "problem"), _devices(data)),
        *(f"locked    {_lock(lock, now_ms)}" for lock in data["site"]["lockouts"]),
        *(f"crashed   {_task(task)}" for task in data["tasks"] if task["crashes"]),
    ]
    return "\n".join(lines) + "\n"


def _devices(data: Mapping[str, Any]) -> list[Sequence[str]]:
    return [
        (
            device["name"],
            device["kind"],
            device["state"],
            ago(device["read_ms"], data["time_ms"]),
            _number(device["power_w"], 0),
            _number(device["hashrate_ths"], 1),
            device["problem"],
        )
        for device in data["site"]["devices"][:MOST_LINES]
    ]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return ["no devices"]
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    ]


def _lock(lock: Mapping[str, Any], now_ms: int) -> str:
    since = ago(lock["since_ms"], now_ms)
    return f"{lock['device']} by {lock['person']}, {since}: {lock['reason']}"


def _task(task: Mapping[str, Any]) -> str:
    return f"{task['name']} {task['crashes']} times, last: {task['last_crash']}"


def _seconds(seconds: float) -> str:
    return age(0, round(seconds * 1000))


def _number(value: float | None, digits: int) -> str:
    return "?" if value is None else f"{value:.{digits}f}"
