"""What every simulated Modbus device is: tables of bits and words, and a script."""

import time
from collections.abc import Callable, Mapping
from enum import IntEnum

from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadCoilsResponse,
    ReadDiscreteInputsRequest,
    ReadDiscreteInputsResponse,
    WriteSingleCoilRequest,
    WriteSingleCoilResponse,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
)

from firmware_bridges.simulators.misbehaviour import Misbehaviour, Script
from firmware_bridges.simulators.plant.presence import Presence

_DECODER = DecodePDU(is_server=True)


class _Fault(IntEnum):
    ILLEGAL_FUNCTION = 1
    ILLEGAL_ADDRESS = 2
    ILLEGAL_VALUE = 3


class SimulatedSlave:
    """A device on Modbus. Subclasses give its tables as mappings from address to content.

    `requests` counts what was addressed to it; `reply_delay_s` makes it answer late.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        boot_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.script = script or Script()
        self.requests = 0
        self.reply_delay_s = 0.0
        self._presence = Presence(self.script, self.power_up, boot_s=boot_s, clock=clock)

    def power_up(self) -> None:
        """Called when the device is back from a reboot."""

    def coils(self) -> Mapping[int, bool]:
        """Coils (functions 01 and 05)."""
        return {}

    def discrete_inputs(self) -> Mapping[int, bool]:
        """Discrete inputs (function 02)."""
        return {}

    def holding_registers(self) -> Mapping[int, int]:
        """Holding registers (function 03)."""
        return {}

    def input_registers(self) -> Mapping[int, int]:
        """Input registers (function 04)."""
        return {}

    def write_coil(self, address: int, *, closed: bool) -> None:
        """Obeys function 05; called for addresses among `coils` only."""
        raise NotImplementedError(f"{type(self).__name__} has coils but takes no writes")

    def answer(self, pdu: bytes) -> tuple[bytes, Misbehaviour | None]:
        """The reply's PDU and what the wire must do wrong with it; obeys writes."""
        self.requests += 1
        misbehaviour = self._presence.next()
        if misbehaviour in {Misbehaviour.TIMEOUT, Misbehaviour.REBOOT}:
            return b"", misbehaviour
        request = _DECODER.decode(pdu)
        if request is None:
            return bytes([pdu[0] | 0x80, _Fault.ILLEGAL_VALUE]), misbehaviour
        reply = self._reply(request, lie=misbehaviour is Misbehaviour.LIE)
        return bytes([reply.function_code]) + reply.encode(), misbehaviour

    def _reply(self, request: ModbusPDU, *, lie: bool) -> ModbusPDU:
        match request:
            case WriteSingleCoilRequest():
                return self._write(request, lie=lie)
            case ReadDiscreteInputsRequest():
                return self._bits(request, self.discrete_inputs(), ReadDiscreteInputsResponse)
            case ReadCoilsRequest():
                return self._bits(request, self.coils(), ReadCoilsResponse)
            case ReadInputRegistersRequest():
                return self._words(request, self.input_registers(), ReadInputRegistersResponse)
            case ReadHoldingRegistersRequest():
                return self._words(request, self.holding_registers(), ReadHoldingRegistersResponse)
            case _:
                return ExceptionResponse(request.function_code, _Fault.ILLEGAL_FUNCTION)

    def _write(self, request: ModbusPDU, *, lie: bool) -> ModbusPDU:
        if request.address not in self.coils():
            return ExceptionResponse(request.function_code, _Fault.ILLEGAL_ADDRESS)
        closed = bool(request.bits[0])
        if not lie:
            self.write_coil(request.address, closed=closed)
        return WriteSingleCoilResponse(address=request.address, bits=[closed])

    @staticmethod
    def _bits(request: ModbusPDU, table: Mapping[int, bool], reply: type[ModbusPDU]) -> ModbusPDU:
        wanted = range(request.address, request.address + request.count)
        if any(address not in table for address in wanted):
            return ExceptionResponse(request.function_code, _Fault.ILLEGAL_ADDRESS)
        return reply(bits=[table[address] for address in wanted])

    @staticmethod
    def _words(request: ModbusPDU, table: Mapping[int, int], reply: type[ModbusPDU]) -> ModbusPDU:
        wanted = range(request.address, request.address + request.count)
        if any(address not in table for address in wanted):
            return ExceptionResponse(request.function_code, _Fault.ILLEGAL_ADDRESS)
        return reply(registers=[table[address] for address in wanted])
