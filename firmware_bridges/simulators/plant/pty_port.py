"""The device's end of a serial line: a pseudo-terminal whose other end has a path."""

import asyncio
import contextlib
import os
import tty
from collections.abc import Callable

_CHUNK = 512


class PtyPort:
    """Calls `on_bytes` with what the host sends; `path` is what the host opens, after `start`."""

    def __init__(self, on_bytes: Callable[[bytes], None]) -> None:
        self._on_bytes = on_bytes
        self._device: int | None = None
        self._host: int | None = None
        self.path = ""

    def start(self) -> None:
        """Opens the pair. The host's end stays open here, so that it may come and go."""
        self._device, self._host = os.openpty()
        tty.setraw(self._host)
        os.set_blocking(self._device, False)
        self.path = os.ttyname(self._host)
        asyncio.get_running_loop().add_reader(self._device, self._read)

    def stop(self) -> None:
        """Unplugs the line."""
        if self._device is None or self._host is None:
            return
        asyncio.get_running_loop().remove_reader(self._device)
        os.close(self._device)
        os.close(self._host)
        self._device = self._host = None

    def send(self, data: bytes) -> None:
        """Puts bytes on the line; what a host that does not read has no room for is lost."""
        if self._device is not None:
            with contextlib.suppress(BlockingIOError):
                os.write(self._device, data)

    def _read(self) -> None:
        if self._device is None:
            return
        try:
            data = os.read(self._device, _CHUNK)
        except BlockingIOError:
            return  # woken for nothing
        self._on_bytes(data)
