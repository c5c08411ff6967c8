"""Controllers' own connections to a broker, without the controllers behind them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from controller.broker import Broker as ControllerBroker
from controller.config import BrokerConfig
from controller.ingest.inbox import Received
from controller.metrics import ControllerMetrics
from shared.messages.topics import Channel
from tests.brokers import CONTROLLER, HOST, Broker
from tests.waiting import wait_for

PATIENCE_S = 30.0


class Replica:
    """A controller's own connection; it confirms what comes and keeps it."""

    def __init__(self, broker: Broker, group: str | None, number: int = 1) -> None:
        # The broker knows clients by the names in their certificates, one connection a name.
        credentials = broker.credentials(CONTROLLER if number == 1 else f"{CONTROLLER}-{number}")
        config = BrokerConfig(
            host=HOST,
            port=broker.port,
            ca_file=broker.ca_file,
            certificate_file=credentials.certificate_file,
            key_file=credentials.key_file,
        )
        self.heard: list[bytes] = []
        self._lock = threading.Lock()
        self.broker = ControllerBroker(config, ControllerMetrics(), self._take, lambda: None)
        if group is not None:
            self.broker.share_as(group)

    def _take(self, received: Received) -> None:
        with self._lock:
            if received.topic.endswith((Channel.EVENT, Channel.TELEMETRY)):
                self.heard.append(received.payload)
        self.broker.confirm(received.token)


@contextmanager
def connected(*replicas: Replica) -> Iterator[None]:
    for replica in replicas:
        replica.broker.start()
    try:
        for replica in replicas:
            wait_for(partial(getattr, replica.broker, "connected"), "a replica", PATIENCE_S)
        yield
    finally:
        for replica in replicas:
            replica.broker.stop()
