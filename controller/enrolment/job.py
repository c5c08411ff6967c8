"""The enrolment job: tokens whose time is up, revocation lists before their end, the file."""

from controller.background import Worker
from controller.config import ControllerConfig
from controller.enrolment.crl import ListFile, due_issuers, keep_lists
from controller.enrolment.desk import EnrolmentDesk
from controller.enrolment.tokens import any_late, expire
from controller.services import Services

_EVERY_S = 2.0


def enrolment_workers(services: Services, config: ControllerConfig) -> list[Worker]:
    """The worker of a process whose role takes in `jobs`; none where nobody is enrolled.

    A round is due soon after a revocation: the broker's file follows the database within seconds.
    """
    desk = services.enrolment
    if desk is None or config.enrolment is None:
        return []
    path = config.enrolment.crl_file
    file = None if path is None else ListFile(services.storage, desk.authority, path)
    return [Worker("enrolment", lambda: _round(services, desk, file), _EVERY_S)]


def _round(services: Services, desk: EnrolmentDesk, file: ListFile | None) -> bool:
    with services.storage.read() as conn:
        due = any_late(conn, services.clock) or due_issuers(conn, services.clock, desk.authority)
    if due:
        with services.storage.write() as conn:
            expire(conn, services.clock)
            keep_lists(conn, services.clock, desk.authority)
    if file is not None:
        file.keep()
    return False
