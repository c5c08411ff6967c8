"""A temperature and humidity sensor that speaks the line protocol of `firmware_bridges.serial`."""

import asyncio
from collections.abc import Callable

from firmware_bridges.simulators.misbehaviour import Misbehaviour, Script, distorted
from firmware_bridges.simulators.plant.presence import Presence
from firmware_bridges.simulators.plant.pty_port import PtyPort

_MOST_PENDING = 64


class LineSensor:
    """Answers on a pseudo-terminal; `path` is its serial port, after `start`.

    A callable that gives None is a broken probe: the sensor says dashes.
    """

    def __init__(
        self,
        temperature_c: Callable[[], float | None],
        humidity_pct: Callable[[], float | None],
        script: Script | None = None,
        *,
        boot_s: float = 5.0,
    ) -> None:
        self._temperature_c = temperature_c
        self._humidity_pct = humidity_pct
        self._port = PtyPort(self._received)
        self._pending = b""
        self.script = script or Script()
        self.requests = 0
        self._presence = Presence(self.script, self._power_up, boot_s=boot_s)

    @property
    def path(self) -> str:
        """What the host opens."""
        return self._port.path

    async def start(self) -> None:
        """Plugs the sensor in."""
        self._port.start()
        await asyncio.sleep(0)

    async def stop(self) -> None:
        """Unplugs it."""
        self._port.stop()
        await asyncio.sleep(0)

    def say(self, data: bytes) -> None:
        """Sends bytes that nobody asked for."""
        self._port.send(data)

    def _power_up(self) -> None:
        self._pending = b""

    def _received(self, data: bytes) -> None:
        *lines, rest = (self._pending + data).split(b"\n")
        self._pending = rest[-_MOST_PENDING:]
        for line in lines:
            self._answer(line.strip())

    def _answer(self, query: bytes) -> None:
        self.requests += 1
        misbehaviour = self._presence.next()
        if misbehaviour in {Misbehaviour.TIMEOUT, Misbehaviour.REBOOT}:
            return
        end = b"\r\n" if misbehaviour is Misbehaviour.GARBAGE else b""
        self._port.send(distorted(_line(self._body(query)), misbehaviour) + end)

    def _body(self, query: bytes) -> str:
        match query:
            case b"R":
                temperature, humidity = self._temperature_c(), self._humidity_pct()
                t_text = "---.-" if temperature is None else f"{temperature:.1f}"
                rh_text = "---.-" if humidity is None else f"{humidity:.1f}"
                return f"T={t_text} C RH={rh_text} %"
            case b"I":
                return "ID=SIM-TH1 FW=1.2 SN=000731"
            case _:
                return "ERR unknown query"


def _line(body: str) -> bytes:
    checksum = 0
    for byte in body.encode("ascii"):
        checksum ^= byte
    return f"{body}*{checksum:02X}\r\n".encode("ascii")
