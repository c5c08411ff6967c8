"""Requests and replies as values: pymodbus' PDUs for the bytes, our own checks for the meaning.

Source: Modbus Application Protocol Specification V1.1b3, sections 6 and 7.
"""

import struct
from dataclasses import dataclass

from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from firmware_bridges.errors import (
    DeviceRefusedError,
    DeviceTimeoutError,
    MalformedReplyError,
)
from firmware_bridges.modbus.register_map import Table

GATEWAY_TARGET_SILENT = 0x0B
_EXCEPTIONS = {
    0x01: "illegal function",
    0x02: "illegal data address",
    0x03: "illegal data value",
    0x04: "server device failure",
    0x05: "acknowledge, still working",
    0x06: "server device busy",
    0x08: "memory parity error",
    0x0A: "gateway path unavailable",
    GATEWAY_TARGET_SILENT: "gateway target failed to respond",
}
_READS: dict[Table, type[ModbusPDU]] = {
    Table.COIL: ReadCoilsRequest,
    Table.DISCRETE: ReadDiscreteInputsRequest,
    Table.HOLDING: ReadHoldingRegistersRequest,
    Table.INPUT: ReadInputRegistersRequest,
}
_DECODER = DecodePDU(is_server=False)
EXCEPTION_SIZE = 2
"""Bytes of an exception reply's PDU: function code with the high bit, code."""


@dataclass(frozen=True, slots=True)
class Read:
    """Reads `count` coils, inputs or registers from `address` (counted from 0)."""

    table: Table
    address: int
    count: int


@dataclass(frozen=True, slots=True)
class WriteCoil:
    """Writes one coil (function 05)."""

    address: int
    closed: bool


Request = Read | WriteCoil
Reply = tuple[int, ...]
"""Register values, or 0 and 1 for bits; empty for a write that was acknowledged."""


def request_pdu(request: Request) -> bytes:
    """The request's PDU: function code and data."""
    pdu: ModbusPDU
    match request:
        case Read(table, address, count):
            pdu = _READS[table](address=address, count=count)
        case WriteCoil(address, closed):
            pdu = WriteSingleCoilRequest(address=address, bits=[closed])
    return bytes([pdu.function_code]) + pdu.encode()


def function_code(request: Request) -> int:
    """The function code that the reply must carry (with the high bit in an exception)."""
    return request_pdu(request)[0]


def reply_size(request: Request) -> int:
    """Bytes of the PDU of a reply that is no exception."""
    match request:
        case Read(Table.COIL | Table.DISCRETE, _, count):
            return 2 + (count + 7) // 8
        case Read(_, _, count):
            return 2 + 2 * count
        case WriteCoil():
            return 5


def parse_reply(request: Request, pdu: bytes) -> Reply:
    """The values in a reply's PDU.

    Raises `DeviceRefusedError` with the exception code, `DeviceTimeoutError` when a gateway says
    that the slave behind it is silent, `MalformedReplyError` for anything that does not answer
    this request.
    """
    code = function_code(request)
    if len(pdu) == EXCEPTION_SIZE and pdu[0] == code | 0x80:
        _raise_exception_reply(pdu)
    if not pdu or pdu[0] != code or len(pdu) != reply_size(request):
        raise MalformedReplyError(
            f"{len(pdu)} bytes for function {code:#04x} are not the "
            f"{reply_size(request)} of a reply: {pdu[:16].hex()}"
        )
    if isinstance(request, WriteCoil):
        if pdu != request_pdu(request):
            raise MalformedReplyError(f"the echo names another coil or value: {pdu.hex()}")
        return ()
    if pdu[1] != len(pdu) - 2:
        raise MalformedReplyError(f"a byte count of {pdu[1]} in {len(pdu)} bytes")
    if request.table in {Table.COIL, Table.DISCRETE}:
        decoded = _DECODER.decode(pdu)
        bits = decoded.bits if decoded is not None else []
        return tuple(int(bit) for bit in bits[: request.count])
    return struct.unpack(f">{request.count}H", pdu[2:])


def _raise_exception_reply(pdu: bytes) -> None:
    decoded = _DECODER.decode(pdu)
    code = decoded.exception_code if isinstance(decoded, ExceptionResponse) else pdu[1]
    text = _EXCEPTIONS.get(code, "unknown exception")
    if code == GATEWAY_TARGET_SILENT:
        raise DeviceTimeoutError(f"exception {code:#04x}: {text}")
    raise DeviceRefusedError(f"exception {code:#04x}: {text}", code)
