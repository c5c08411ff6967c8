"""The report as Prometheus metric families (https://prometheus.io/docs/practices/naming/)."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.status.report import StatusReport

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(report: StatusReport, role: CollectorRegistry) -> bytes:
    """The report, and what the role measures of itself, in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(report))
    return generate_latest(registry) + generate_latest(role)


class _Once(Collector):
    def __init__(self, report: StatusReport) -> None:
        self._report = report

    def collect(self) -> Iterable[Metric]:
        yield from _link(self._report)
        yield from _buffer(self._report)
        yield from _commands(self._report)
        yield from _site(self._report)
        yield from _tasks(self._report)


def _gauge(name: str, text: str, value: float | None) -> Iterable[Metric]:
    """A gauge; none at all where the value is unknown."""
    if value is not None:
        yield GaugeMetricFamily(f"bes_agent_{name}", text, value=float(value))


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"bes_agent_{name}", text, value=float(value))


def _link(report: StatusReport) -> Iterable[Metric]:
    link = report.link
    yield from _gauge("link_up", "1 while connected to the broker", link.connected)
    yield _counter("link_connections", "Connections made to the broker", link.connections)
    waiting = GaugeMetricFamily(
        "bes_agent_rows_not_acked", "Rows accepted and not yet acked", labels=["stream"]
    )
    for stream, count in link.outstanding.items():
        waiting.add_metric([stream], count)
    yield waiting
    yield from _gauge(
        "last_ack_age_seconds",
        "Business seconds since the last ack",
        _age_s(report, link.last_ack_ms),
    )


def _buffer(report: StatusReport) -> Iterable[Metric]:
    buffer = report.buffer
    yield from _gauge("buffer_used_bytes", "What the buffer takes on disk", buffer.used_bytes)
    yield from _gauge("buffer_budget_bytes", "What it may take", buffer.budget_bytes)
    yield from _gauge("disk_full", "1 while the disk is full", buffer.disk_full)
    yield _counter("snapshots_accepted", "Snapshots accepted", buffer.rows_accepted)
    yield _counter("rows_thinned", "Rows replaced by gap reports", buffer.rows_thinned)
    yield from _gauge("snapshots_held", "Snapshots waiting in memory", buffer.snapshots_held)
    oldest = GaugeMetricFamily(
        "bes_agent_oldest_row_age_seconds",
        "Business seconds since the oldest kept row was made",
        labels=["stream"],
    )
    for stream, time_ms in buffer.oldest_ms.items():
        age_s = _age_s(report, time_ms)
        if age_s is not None:
            oldest.add_metric([stream], age_s)
    yield oldest
    clock = report.clock
    yield from _gauge("clock_synchronised", "1 while the clock is synchronised", clock.synchronised)
    yield from _gauge("clock_jumped", "1 while commands are refused for the clock", clock.jumped)


def _commands(report: StatusReport) -> Iterable[Metric]:
    commands = report.commands
    yield _counter("command_messages", "Messages on the command channel", commands.received)
    yield _counter("commands_unproven", "Messages without a trusted signature", commands.unproven)
    yield _counter("commands_repeated", "Messages that were answered again", commands.repeated)
    yield _counter("commands_silenced", "Replays that were not answered", commands.silenced)
    yield _counter("commands_admitted", "Commands admitted", commands.admitted)
    yield _counter(
        "command_admission_seconds", "Time from message to accepted, in sum", commands.admission_s
    )
    answers = CounterMetricFamily(
        "bes_agent_command_answers", "Answers given", labels=["state", "problem"]
    )
    for answer, count in commands.answered.items():
        state, _, problem = answer.partition("/")
        answers.add_metric([state, problem], count)
    yield answers


def _site(report: StatusReport) -> Iterable[Metric]:
    states: dict[tuple[str, str], int] = {}
    for device in report.site.devices:
        key = (device.kind, device.state)
        states[key] = states.get(key, 0) + 1
    family = GaugeMetricFamily("bes_agent_devices", "Devices by state", labels=["kind", "state"])
    for (kind, state), count in sorted(states.items()):
        family.add_metric([kind, state], count)
    yield family
    yield from _gauge("lockouts", "Locks in force", len(report.site.lockouts))


def _tasks(report: StatusReport) -> Iterable[Metric]:
    yield from _gauge("tasks", "Tasks of the agent, one a device among them", len(report.tasks))
    running = sum(task.running for task in report.tasks)
    yield from _gauge("tasks_running", "Tasks that run now", running)
    crashes = CounterMetricFamily("bes_agent_task_crashes", "Crashes of a task", labels=["task"])
    for task in report.tasks:
        if task.crashes:
            crashes.add_metric([task.name], task.crashes)
    yield crashes


def _age_s(report: StatusReport, time_ms: int | None) -> float | None:
    return None if time_ms is None else (report.time_ms - time_ms) / 1000
