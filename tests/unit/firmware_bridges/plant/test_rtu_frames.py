"""Frames on a line with noise and late answers."""

import pytest
from pymodbus.framer import FramerRTU

from firmware_bridges.modbus.register_map import Table
from firmware_bridges.modbus.requests import Read, WriteCoil
from firmware_bridges.modbus.rtu_frames import find_reply, rtu_request

VOLTS = Read(Table.INPUT, 0, 2)
REPLY = bytes.fromhex("010404436633341b38")
"""Eastron SDM630-Modbus V2, Protocol Implementation, the example of a response: 230.2 V."""


def frame(unit: int, pdu: str) -> bytes:
    body = bytes([unit]) + bytes.fromhex(pdu)
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


def test_a_request_is_the_manual_s_bytes() -> None:
    assert rtu_request(1, VOLTS).hex() == "01040000000271cb"


def test_the_manual_s_reply_is_found() -> None:
    found = find_reply(REPLY, 1, VOLTS)
    assert found.pdu == REPLY[1:-2]
    assert found.rest == b""


def test_a_reply_is_found_behind_noise() -> None:
    assert find_reply(b"\x00\xff\x01\x04" + REPLY, 1, VOLTS).pdu == REPLY[1:-2]


def test_a_part_of_a_reply_is_kept_for_the_rest() -> None:
    found = find_reply(REPLY[:6], 1, VOLTS)
    assert found.pdu is None
    assert find_reply(found.rest + REPLY[6:], 1, VOLTS).pdu == REPLY[1:-2]


def test_a_late_answer_of_a_neighbour_is_dropped_and_never_taken() -> None:
    late = frame(2, "040443663334")
    assert find_reply(late, 1, VOLTS).pdu is None
    assert find_reply(late, 1, VOLTS).rest == b""
    assert find_reply(late + REPLY, 1, VOLTS).pdu == REPLY[1:-2]


@pytest.mark.parametrize("pdu", ["030443663334", "04064366333400ff", "8302", "0101ff"])
def test_an_answer_of_the_same_slave_to_another_request_is_dropped(pdu: str) -> None:
    found = find_reply(frame(1, pdu), 1, VOLTS)
    assert found.pdu is None
    assert found.rest == b""


def test_an_exception_answers() -> None:
    assert find_reply(frame(1, "8402"), 1, VOLTS).pdu == bytes.fromhex("8402")


def test_a_wrong_checksum_is_no_answer() -> None:
    assert find_reply(REPLY[:-1] + b"\x39", 1, VOLTS).pdu is None


def test_the_echo_of_a_write_is_found() -> None:
    write = WriteCoil(5, closed=True)
    assert find_reply(frame(9, "050005ff00"), 9, write).pdu == bytes.fromhex("050005ff00")
