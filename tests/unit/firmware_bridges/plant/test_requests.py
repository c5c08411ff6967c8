"""Requests and replies, against the examples of the Modbus Application Protocol V1.1b3."""

import pytest

from firmware_bridges.errors import (
    DeviceRefusedError,
    DeviceTimeoutError,
    MalformedReplyError,
)
from firmware_bridges.modbus.register_map import Table
from firmware_bridges.modbus.requests import (
    Read,
    Request,
    WriteCoil,
    parse_reply,
    reply_size,
    request_pdu,
)

HOLDING = Read(Table.HOLDING, 0x6B, 3)
COILS = Read(Table.COIL, 0x13, 19)
WRITE = WriteCoil(0xAC, closed=True)


@pytest.mark.parametrize(
    ("request_", "pdu"),
    [
        (COILS, "0100130013"),
        (Read(Table.DISCRETE, 0xC4, 22), "0200c40016"),
        (HOLDING, "03006b0003"),
        (Read(Table.INPUT, 8, 1), "0400080001"),
        (WRITE, "0500acff00"),
        (WriteCoil(0xAC, closed=False), "0500ac0000"),
    ],
)
def test_a_request_is_the_specification_s_bytes(request_: Request, pdu: str) -> None:
    assert request_pdu(request_).hex() == pdu


def test_registers_are_read_from_the_specification_s_reply() -> None:
    assert parse_reply(HOLDING, bytes.fromhex("0306022b00000064")) == (0x022B, 0, 0x64)


def test_bits_are_read_from_the_specification_s_reply() -> None:
    bits = parse_reply(COILS, bytes.fromhex("0103cd6b05"))
    assert len(bits) == 19
    assert bits[:8] == (1, 0, 1, 1, 0, 0, 1, 1)
    assert bits[16:] == (1, 0, 1)


def test_an_echo_acknowledges_a_write() -> None:
    assert parse_reply(WRITE, bytes.fromhex("0500acff00")) == ()


def test_a_refusal_carries_the_device_s_code() -> None:
    with pytest.raises(DeviceRefusedError, match="illegal data address") as refused:
        parse_reply(HOLDING, bytes.fromhex("8302"))
    assert refused.value.code == 2


def test_a_code_that_no_specification_knows_is_a_refusal_too() -> None:
    with pytest.raises(DeviceRefusedError, match="unknown exception") as refused:
        parse_reply(HOLDING, bytes.fromhex("83f7"))
    assert refused.value.code == 0xF7


def test_a_gateway_s_word_that_the_slave_is_silent_is_a_timeout() -> None:
    with pytest.raises(DeviceTimeoutError, match="gateway target"):
        parse_reply(HOLDING, bytes.fromhex("830b"))


@pytest.mark.parametrize(
    "pdu",
    [
        "",
        "03",
        "0304022b0000",
        "0306022b000000",
        "0305022b00000064",
        "0406022b00000064",
        "8402",
        "830202",
    ],
)
def test_what_answers_another_request_is_malformed(pdu: str) -> None:
    with pytest.raises(MalformedReplyError):
        parse_reply(HOLDING, bytes.fromhex(pdu))


@pytest.mark.parametrize("pdu", ["0500adff00", "0500ac0000"])
def test_an_echo_of_another_coil_or_value_is_malformed(pdu: str) -> None:
    with pytest.raises(MalformedReplyError, match="echo"):
        parse_reply(WRITE, bytes.fromhex(pdu))


def test_the_size_of_a_reply_is_known_beforehand() -> None:
    assert [reply_size(one) for one in (HOLDING, COILS, WRITE)] == [8, 5, 5]
