"""RTU frames out of a byte stream, with what the master knows: whom it asked for what.

pymodbus' framer gives addresses and checksums; finding the reply is ours, because a line carries
noise and the late answers of slaves that were given up, and a framer that takes the first valid
frame would give a neighbour's values to the wrong device.
"""

from dataclasses import dataclass

from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from firmware_bridges.modbus.requests import Request, function_code, reply_size, request_pdu

_FRAMER = FramerRTU(DecodePDU(is_server=False))
_OVERHEAD = 3
"""Address and checksum."""
_SHORTEST = 5


@dataclass(frozen=True, slots=True)
class Found:
    """What a buffer held: the reply's PDU if it is there, and the bytes still to be judged."""

    pdu: bytes | None
    rest: bytes


def rtu_request(unit: int, request: Request) -> bytes:
    """The frame to send."""
    return _FRAMER.encode(request_pdu(request), unit, 0)


def find_reply(data: bytes, unit: int, request: Request) -> Found:
    """Looks for the reply of `unit` to `request`.

    Bytes before a valid frame are noise; a valid frame of another unit, function or length is a
    late answer to an earlier request and is dropped.
    """
    at = 0
    start = 0
    while at + _SHORTEST <= len(data):
        size = _frame_size(data[at:])
        if size is None or not _sound(data[at : at + size]):
            at += 1
            continue
        pdu = data[at + 1 : at + size - 2]
        if data[at] == unit and _answers(pdu, request):
            return Found(pdu, data[at + size :])
        at += size
        start = at
    return Found(None, data[start:])


def _frame_size(data: bytes) -> int | None:
    """Bytes of the reply frame that begins here; None when this is no function we ever ask for."""
    code = data[1]
    if code & 0x80:
        return _SHORTEST
    if code in {0x01, 0x02, 0x03, 0x04}:
        return data[2] + 2 + _OVERHEAD
    return 8 if code == 0x05 else None


def _sound(frame: bytes) -> bool:
    if len(frame) < _SHORTEST:
        return False
    return FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], "big"))


def _answers(pdu: bytes, request: Request) -> bool:
    code = function_code(request)
    return pdu[0] == code | 0x80 or (pdu[0] == code and len(pdu) == reply_size(request))
