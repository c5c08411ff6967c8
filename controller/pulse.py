"""What the controller tells systemd of its health.

The watchdog is fed from the event loop, so a loop that hangs is restarted. The checks touch the
database and may wait for it: they run in a thread, and only when none has come back for long is
that taken for a hang. A broker or database that is away heals by itself and restarts nothing.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from shared.host.service_manager import Health, ServiceManager

CHECK_EVERY_S = 2.0
LONGEST_CHECK_S = 120.0
_MAY_BE_AWAY = frozenset({"broker"})


@dataclass(slots=True)
class Checked:
    """What the checks found last, and when that was (the loop's time)."""

    at_s: float
    problems: Mapping[str, str] = field(default_factory=lambda: {"checks": "not made yet"})


def health_of(checked: Checked, now_s: float, *, listening: bool) -> Health:
    """Ready while it listens and nothing but the broker is missing. Pure.

    Without a broker the page and the interface serve, so the service is up; its status tells.
    """
    problems = dict(checked.problems)
    if not listening:
        problems["listener"] = "not listening yet"
    words = "; ".join(f"{part}: {problem}" for part, problem in sorted(problems.items()))
    waited_s = now_s - checked.at_s
    stuck = None
    if waited_s > LONGEST_CHECK_S:
        stuck = f"its checks have not come back for {waited_s:.0f} s"
    ready = not problems.keys() - _MAY_BE_AWAY
    return Health(ready, words or "ready", stuck)


async def beat(
    manager: ServiceManager,
    not_ready: Callable[[], Mapping[str, str]],
    listening: Callable[[], bool],
) -> None:
    """Until it is cancelled; returns at once where no service manager listens."""
    if not manager.present:
        return
    loop = asyncio.get_running_loop()
    checked = Checked(loop.time())

    async def check() -> None:
        while True:
            checked.problems = await asyncio.to_thread(not_ready)
            checked.at_s = loop.time()
            await asyncio.sleep(CHECK_EVERY_S)

    checking = asyncio.create_task(check())
    try:
        await manager.keep_alive(
            lambda: health_of(checked, loop.time(), listening=listening()), grace_s=0.0
        )
    finally:
        checking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await checking
