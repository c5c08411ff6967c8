"""A replica as a process of its own: integrates, or queues, until told to stop.

    python -m tests.integration.controller.audit.integrating URL integrate GROUP
    python -m tests.integration.controller.audit.integrating URL queue FIRST COUNT

An integrator ends when a line comes (or the end) on its standard input and nothing is queued.
"""

import sys
import threading
import time

from sqlalchemy.exc import OperationalError

from controller.storage.engine import Storage
from tests.audit_logs import integrator, queue


def integrate(storage: Storage, group: int) -> None:
    """Rounds until told to stop, and then until nothing is queued."""
    told = threading.Event()

    def listen() -> None:
        sys.stdin.readline()
        told.set()

    threading.Thread(target=listen, daemon=True).start()
    worker = integrator(storage, group)
    while True:
        last = told.is_set()
        more = worker.round()
        if last and not more:
            return
        if not more:
            time.sleep(0.005)


def queue_one_by_one(storage: Storage, first: int, count: int) -> None:
    """Each leaf in a transaction of its own."""
    for number in range(first, first + count):
        queue(storage, 1, number)


def main() -> None:
    """Does what the arguments say."""
    storage = Storage(sys.argv[1])
    try:
        if sys.argv[2] == "integrate":
            integrate(storage, int(sys.argv[3]))
        else:
            queue_one_by_one(storage, int(sys.argv[3]), int(sys.argv[4]))
    except OperationalError as error:
        sys.exit(f"the database: {error}")
    finally:
        storage.close()


if __name__ == "__main__":
    main()
