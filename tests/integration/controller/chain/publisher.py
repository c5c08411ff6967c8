"""A ZMQ publisher as Bitcoin Core has one: ZMTP 3.0 on a socket of its own."""

import socket
import threading

from controller.chain.core_rpc.zmtp import frame, greeting, ready


class Publisher:
    """Serves one subscriber at a time."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connection: socket.socket | None = None
        self.subscribed = threading.Event()
        self.topics: list[bytes] = []
        self._number = 0
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"

    def publish(self, topic: bytes, content: bytes) -> None:
        """To the subscriber, or to nobody."""
        if self._connection is None or not self.subscribed.is_set():
            return
        number = self._number.to_bytes(4, "little")
        self._number += 1
        self._connection.sendall(frame(topic, 1) + frame(content, 1) + frame(number))

    def hang_up(self) -> None:
        assert self._connection is not None
        self.subscribed.clear()
        self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def stop(self) -> None:
        self._listener.close()
        if self._connection is not None:
            self._connection.close()

    def _serve(self) -> None:
        while True:
            try:
                self._connection, _ = self._listener.accept()
                self._greet(self._connection)
            except OSError:
                return

    def _greet(self, connection: socket.socket) -> None:
        connection.sendall(greeting())
        self._exactly(connection, 64)
        connection.sendall(ready(b"PUB"))
        self._frame(connection)
        self.topics = [self._frame(connection)[1:] for _ in range(2)]
        self.subscribed.set()

    def _frame(self, connection: socket.socket) -> bytes:
        return self._exactly(connection, self._exactly(connection, 2)[1])

    @staticmethod
    def _exactly(connection: socket.socket, length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = connection.recv(length - len(data))
            if not part:
                raise OSError("closed")
            data += part
        return data
