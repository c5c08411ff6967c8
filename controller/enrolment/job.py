"""The enrolment job: tokens whose time is up, revocation lists before their end, the file."""

from controller.background import Worker
from controller.config import ControllerConfig
from controller.enrolment.crl import keep_lists
from controller.enrolment.desk import EnrolmentDesk
from controller.enrolment.ending import tell_of_end
from controller.enrolment.list_file import ListFile
from controller.enrolment.tokens import any_late, expire
from controller.services import Services

_EVERY_S = 2.0


def enrolment_workers(services: Services, config: ControllerConfig) -> list[Worker]:
    """The worker of a process whose role takes in `jobs`; none where nobody is enrolled.

    A round is due soon after a revocation: the broker's file follows the database within seconds.
    """
    desk = services.enrolment
    file = list_file(services, config)
    if desk is None:
        return []
    return [Worker("enrolment", lambda: _round(services, desk, file), _EVERY_S)]


def list_file(services: Services, config: ControllerConfig) -> ListFile | None:
    """The broker's file of revocation lists; None where there is none to keep."""
    desk = services.enrolment
    if desk is None or config.enrolment is None or config.enrolment.crl_file is None:
        return None
    path = config.enrolment.crl_file
    return ListFile(services.storage, services.clock, desk.authority, path)


def _round(services: Services, desk: EnrolmentDesk, file: ListFile | None) -> bool:
    storage, clock = services.storage, services.clock
    with storage.read() as conn:
        late = any_late(conn, clock)
    if late:
        with storage.write() as conn:
            expire(conn, clock)
    try:
        keep_lists(storage, clock, desk.authority)
    finally:
        if file is not None:
            file.keep()
        tell_of_end(storage, clock, desk.authority)
    return False
