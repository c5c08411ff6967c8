"""How a serial port fails and is released, whatever is spoken over it."""

import termios
from typing import Protocol

from serial import SerialException

PORT_ERRORS = (OSError, SerialException, termios.error)


class Closing(Protocol):
    """An open port."""

    def close(self) -> None: ...


def release(port: Closing | None) -> None:
    """Closes the port where there is one; never raises."""
    if port is None:
        return
    try:
        port.close()
    except PORT_ERRORS:
        return  # an unplugged adapter is closed as far as it can be
