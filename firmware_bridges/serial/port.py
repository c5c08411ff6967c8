"""A serial port with blocking calls, for a thread of its own."""

import threading
import time
from typing import Protocol

from serial.serialposix import Serial

from firmware_bridges.errors import DeviceTimeoutError, DeviceUnreachableError, MalformedReplyError
from firmware_bridges.serial.line_protocol import MOST_LINE
from firmware_bridges.serial.settings import SensorSettings
from firmware_bridges.serial_port import PORT_ERRORS, release

_SLICE_S = 0.1
"""How long one blocking call lasts; a caller that gave up is noticed after it."""


class _Port(Protocol):
    """What is used of pyserial's port, which has no types."""

    def reset_input_buffer(self) -> None: ...

    def write(self, data: bytes, /) -> int | None: ...

    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


class LinePort:
    """Asks and reads one line; opened when needed, closed after any failure."""

    def __init__(self, settings: SensorSettings) -> None:
        self._settings = settings
        self._port: _Port | None = None

    def ask(self, query: bytes, until_s: float, given_up: threading.Event) -> bytes:
        """Sends the query and gives the line that follows, its end included.

        `until_s` is on `time.monotonic`. Raises `DeviceTimeoutError` when nothing came,
        `MalformedReplyError` when no whole line did, `DeviceUnreachableError` when the port fails.
        """
        try:
            port = self._opened()
            port.reset_input_buffer()
            port.write(query)
            line = b""
            while not line.endswith(b"\n") and len(line) < MOST_LINE:
                if time.monotonic() >= until_s or given_up.is_set():
                    raise self._no_line(line)
                line += port.read(1)
        except PORT_ERRORS as error:
            self.close()
            raise DeviceUnreachableError(f"{self._where}: {error}") from error
        return line

    def close(self) -> None:
        """Releases the port; never raises."""
        port, self._port = self._port, None
        release(port)

    def _no_line(self, line: bytes) -> DeviceTimeoutError | MalformedReplyError:
        if line:
            return MalformedReplyError(f"{self._where}: no whole line: {line[:40]!r}")
        return DeviceTimeoutError(f"{self._where}: no reply in time")

    @property
    def _where(self) -> str:
        return self._settings.serial_port

    def _opened(self) -> _Port:
        if self._port is None:
            self._port = Serial(  # type: ignore[no-untyped-call]  # pyserial has no types
                port=self._settings.serial_port,
                baudrate=self._settings.baudrate,
                parity=self._settings.parity,
                stopbits=self._settings.stopbits,
                timeout=_SLICE_S,
                write_timeout=self._settings.deadline_s,
                exclusive=True,
            )
        return self._port
