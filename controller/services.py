"""What the controller's parts share in one process; `app.state.services` of the application."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from controller.clock import Clock
from controller.enrolment.desk import EnrolmentDesk
from controller.fleet.commands import CommandDesk
from controller.fleet.meaning import Meanings
from controller.live import LiveFeed
from controller.metrics import ControllerMetrics
from controller.storage.engine import Storage
from controller.storage.migrate import revision_problem


@dataclass(slots=True)
class Services:
    """Set up by `controller.app`.

    `desk` is None where no signing key is configured: then no command can be issued. `enrolment` is
    None where no intermediate is configured: then nobody is enrolled or renewed. `wakers` are
    called by `wake`; `checks` tell why a part does not serve, None while it does.
    """

    storage: Storage
    clock: Clock
    metrics: ControllerMetrics
    live: LiveFeed
    desk: CommandDesk | None
    enrolment: EnrolmentDesk | None = None
    meanings: Meanings = field(default_factory=Meanings)
    wakers: list[Callable[[], None]] = field(default_factory=list)
    checks: dict[str, Callable[[], str | None]] = field(default_factory=dict)

    def wake(self) -> None:
        """Makes the publisher and the live feed look now instead of at their next poll; to be
        called after a commit that put something into the outbox or changed what is shown."""
        for waker in self.wakers:
            waker()

    def not_ready(self) -> dict[str, str]:
        """What keeps this process from serving, by part; empty when it is ready."""
        problems: dict[str, str] = {}
        try:
            with self.storage.read() as conn:
                conn.execute(text("SELECT 1"))
                problem = revision_problem(conn)
            if problem is not None:
                problems["migrations"] = problem
        except SQLAlchemyError as error:
            problems["database"] = type(error).__name__
        for part, check in self.checks.items():
            found = check()
            if found is not None:
                problems[part] = found
        return problems
