"""Hints that the node's chain or mempool changed, from its ZMQ publisher.

Hints only: they may be lost, late or doubled, and what they carry is not read. Whoever gets one
looks, and looks at a bounded interval without one (`controller.background.Worker` does both).
"""

import socket
import threading
from collections.abc import Callable

import structlog

from controller.chain.core_rpc.zmtp import Subscriber, ZmtpError
from controller.pauses import pause_after

log = structlog.get_logger(__name__)

_TOPICS = (b"hashblock", b"hashtx")
_POLL_S = 0.2  # how long an end may take
_CONNECT_S = 10.0
_PAUSES_S = (0.2, 2.0, 5.0, 15.0, 30.0)
_READ_BYTES = 65_536


class ChainHints:
    """Calls `on_hint` from a thread of its own, after every connection too; connects for ever."""

    def __init__(self, zmq_url: str, on_hint: Callable[[], None]) -> None:
        host, _, port = zmq_url.removeprefix("tcp://").rpartition(":")
        self._address = (host, int(port))
        self._on_hint = on_hint
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chain hints", daemon=True)
        self._failures = 0

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends; returns when it has."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with socket.create_connection(self._address, timeout=_CONNECT_S) as connection:
                    connection.settimeout(_POLL_S)
                    self._listen(connection)
            except (OSError, ZmtpError) as error:
                log.info("No hints from the node for now", problem=str(error)[:200])
            if not self._stopping.wait(pause_after(self._failures, _PAUSES_S)):
                self._failures += 1

    def _listen(self, connection: socket.socket) -> None:
        subscriber = Subscriber(_TOPICS)
        connection.sendall(subscriber.first())
        was_ready = False
        while not self._stopping.is_set():
            try:
                data = connection.recv(_READ_BYTES)
            except TimeoutError:
                continue
            if not data:
                raise ZmtpError("the node closed the connection")
            answer, messages = subscriber.receive(data)
            if answer:
                connection.sendall(answer)
            if messages or (subscriber.is_ready and not was_ready):
                was_ready = True
                self._failures = 0
                self._on_hint()
