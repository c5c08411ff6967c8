"""A real HTTP(S) server that takes webhooks, or does not."""

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class Receiver:
    """What came; `status` is answered, after `hang_s`; with `endless` the answer has no end."""

    port: int = 0
    status: int = 204
    hang_s: float = 0.0
    endless: bool = False
    location: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        """The ids of the messages, as they came."""
        return [headers["webhook-id"] for headers, _body in self.got]


@contextmanager
def receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Listens on a free port within the block."""
    told = Receiver()

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            told.got.append(({key.lower(): value for key, value in self.headers.items()}, body))
            time.sleep(told.hang_s)
            self.send_response(told.status)
            if told.location:
                self.send_header("Location", told.location)
            if not told.endless:
                self.send_header("Content-Length", "0")
            self.end_headers()
            while told.endless:
                try:
                    self.wfile.write(b"x" * 65_536)
                except OSError:
                    return

        def log_message(self, *_arguments: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    told.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        told.endless = False
        server.shutdown()
        server.server_close()
        thread.join(30)
