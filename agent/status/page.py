"""The report as a page: plain HTML, no script, everything escaped."""

from collections.abc import Iterable, Sequence
from html import escape

from agent.role import DeviceStatus
from agent.status.report import StatusReport, problems_of
from agent.status.words import age, ago, clock_words
from shared.errors import BadInputError
from shared.time import from_ms

STYLE = """\
:root { color-scheme: light dark; --line: #8884; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 68rem; padding: 1rem; }
h1 { font-size: 1.3rem; margin: 0 0 .3rem; } h2 { font-size: 1.05rem; margin: 1.4rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto; }
th, td { text-align: left; padding: .2rem .7rem .2rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { font-weight: 600; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
ul.problems { border-left: 4px solid #c33; padding: .4rem .4rem .4rem 1.6rem; margin: .6rem 0; }
p.well { border-left: 4px solid #393; padding: .4rem .8rem; margin: .6rem 0; }
p.note { opacity: .75; margin: 0; }
"""
MOST_DEVICES = 2_000

Cell = str | int | float | None


def render(report: StatusReport) -> str:
    """The page for a report."""
    sections = (
        _heading(report),
        _problems(report),
        _table("Link and buffer", ("", ""), _link_rows(report)),
        _table("Commands", ("", ""), _command_rows(report)),
        _table(
            "Newest answers to commands",
            ("Time", "Command", "Answer", "Why"),
            (
                (_time(r.time_ms), r.command_id, r.state, f"{r.problem} {r.text}".strip())
                for r in report.commands.newest
            ),
        ),
        _table(
            "Decisions",
            ("Time", "Reason", "Detail"),
            ((_time(d.time_ms), d.reason, d.detail) for d in report.site.decisions),
        ),
        _table(
            "Lock-outs",
            ("Device", "Person", "Reason", "Since"),
            ((k.device, k.person, k.reason, _time(k.since_ms)) for k in report.site.lockouts),
        ),
        _table("Site", ("", ""), report.site.facts),
        _table(
            "Devices",
            ("Device", "Kind", "State", "Last reading", "Power W", "Hashrate TH/s", "Problem"),
            (_device_row(d, report.time_ms) for d in report.site.devices[:MOST_DEVICES]),
        ),
        _table(
            f"Tasks that crashed, of {len(report.tasks)}",
            ("Task", "Running", "Crashes", "Last crash"),
            (
                (t.name, _yes(t.running), t.crashes, t.last_crash)
                for t in report.tasks
                if t.crashes or not t.running
            ),
        ),
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="refresh" content="10">'
        f"<title>{escape(report.node)}</title>"
        '<link rel="stylesheet" href="/style.css"></head><body>\n'
        + "\n".join(sections)
        + "\n</body></html>\n"
    )


def _link_rows(report: StatusReport) -> tuple[tuple[str, Cell], ...]:
    link, buffer, clock = report.link, report.buffer, report.clock
    oldest = {
        name: "none" if ms is None else age(ms, report.time_ms)
        for name, ms in buffer.oldest_ms.items()
    }
    return (
        ("Link", "connected" if link.connected else f"down: {link.problem}"),
        ("Connections since start", link.connections),
        ("Last ack", ago(link.last_ack_ms, report.time_ms)),
        *((f"Not acked: {name}", count) for name, count in link.outstanding.items()),
        *((f"Oldest kept: {name}", text) for name, text in oldest.items()),
        ("Buffer", f"{buffer.used_bytes / 2**20:.1f} of {buffer.budget_bytes / 2**20:.0f} MiB"),
        ("Snapshots accepted since start", buffer.rows_accepted),
        ("Rows replaced by gap reports", buffer.rows_thinned),
        ("Clock", clock_words(clock.synchronised, clock.error_ms, jumped=clock.jumped)),
    )


def _heading(report: StatusReport) -> str:
    about = f"{report.role}, {report.software}, up {age(0, round(report.uptime_s * 1000))}"
    return (
        f"<h1>{escape(report.node)}</h1>"
        f'<p class="note">{escape(about)}; shown time {escape(_time(report.time_ms))}</p>'
    )


def _problems(report: StatusReport) -> str:
    found = problems_of(report)
    if not found:
        return '<p class="well">Everything works.</p>'
    items = "".join(f"<li>{escape(problem)}</li>" for problem in found)
    return f'<ul class="problems">{items}</ul>'


def _command_rows(report: StatusReport) -> Iterable[Sequence[Cell]]:
    commands = report.commands
    yield "Messages received", commands.received
    yield "Without a trusted signature", commands.unproven
    yield "Repeated", commands.repeated
    if commands.admitted:
        yield "Mean time to accepted", f"{commands.admission_s / commands.admitted * 1000:.1f} ms"
    for answer, count in sorted(commands.answered.items()):
        yield f"Answered {answer}", count


def _device_row(device: DeviceStatus, now_ms: int) -> Sequence[Cell]:
    return (
        device.name,
        device.kind,
        device.state,
        ago(device.read_ms, now_ms),
        None if device.power_w is None else round(device.power_w),
        None if device.hashrate_ths is None else round(device.hashrate_ths, 1),
        device.problem,
    )


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    if not body:
        return f'<h2>{escape(title)}</h2><p class="note">none</p>'
    named = any(heads)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads) if named else ""
    return (
        f"<h2>{escape(title)}</h2><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _cell(value: Cell) -> str:
    if value is None:
        return "<td>unknown</td>"
    if isinstance(value, str):
        return f"<td>{escape(value)}</td>"
    return f'<td class="number">{value:,}</td>'


def _time(time_ms: int) -> str:
    try:
        return from_ms(time_ms).strftime("%Y-%m-%d %H:%M:%S UTC")
    except BadInputError:
        return f"{time_ms} ms"


def _yes(value: bool) -> str:  # noqa: FBT001 - a cell's value
    return "yes" if value else "no"
