"""How a simulated device can be told to fail."""

from dataclasses import dataclass
from enum import StrEnum

GARBAGE = b"\x15\x03\x01\x00\x02\x02\x0a<html>busy</html>\x00\xff\xfe"


class Misbehaviour(StrEnum):
    """One way to fail."""

    TIMEOUT = "timeout"
    """Takes the request and never answers."""
    CUT_OFF = "cut_off"
    """Closes the connection in the middle of the reply."""
    GARBAGE = "garbage"
    """Answers with bytes that are not of the protocol."""
    LIE = "lie"
    """Says that a write succeeded and changes nothing."""
    REBOOT = "reboot"
    """Is gone until `Script.clear` or the simulated boot time has passed."""


@dataclass(slots=True)
class Script:
    """What a simulator does wrong at the moment; it looks here at each request.

    `remaining` counts down the requests that still go wrong; None means until cleared.
    """

    current: Misbehaviour | None = None
    remaining: int | None = None

    def order(self, misbehaviour: Misbehaviour, times: int | None = None) -> None:
        """From the next request on, `times` requests (or all) go wrong this way."""
        self.current = misbehaviour
        self.remaining = times

    def clear(self) -> None:
        """Behave again."""
        self.current = None
        self.remaining = None

    def take(self) -> Misbehaviour | None:
        """What to do wrong with this request; counts it."""
        misbehaviour = self.current
        if misbehaviour is not None and self.remaining is not None:
            self.remaining -= 1
            if self.remaining <= 0:
                self.clear()
        return misbehaviour


def distorted(reply: bytes, misbehaviour: Misbehaviour | None) -> bytes:
    """What is sent in place of `reply`: half of it, garbage, or the reply itself."""
    match misbehaviour:
        case Misbehaviour.CUT_OFF:
            return reply[: len(reply) // 2]
        case Misbehaviour.GARBAGE:
            return GARBAGE
        case _:
            return reply
