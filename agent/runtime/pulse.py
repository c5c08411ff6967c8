"""What the agent tells systemd of its health, from the event loop whose turning it proves."""

from agent.runtime.look import Parts
from agent.supervisor import LONGEST_DELAY_S, Supervisor
from shared.host.service_manager import Health

LONGEST_ILL_S = LONGEST_DELAY_S + 30.0
"""A crashed task is restarted by the supervisor within `LONGEST_DELAY_S`; what does not run for
longer than this will not by itself, and the whole agent is to be restarted."""


def why_unhealthy(supervisor: Supervisor) -> str | None:
    """The first task that does not run; None when all do. A lost link is no ill health."""
    stopped = [task.name for task in supervisor.health if not task.running]
    return f"not running: {', '.join(stopped)}" if stopped else None


def pulse_of(parts: Parts, *, started: bool, stopping: bool) -> Health:
    """Ready once it was started; stuck while a task does not run. The link is no part of it: an
    agent without a WAN works on, and its status says so. Pure but for looking."""
    if stopping:
        return Health(started, "stopping")
    if not started:
        return Health(ready=False, status="starting")
    link = parts.uplink.status
    words = "connected" if link.connected else f"no connection to the broker: {link.problem}"
    return Health(ready=True, status=words, stuck=why_unhealthy(parts.supervisor))
