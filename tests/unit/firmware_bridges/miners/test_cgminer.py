"""The 4028 API: what a reply is, and how an exchange ends."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from firmware_bridges.errors import (
    DeviceError,
    DeviceRefusedError,
    DeviceTimeoutError,
    DeviceUnreachableError,
    MalformedReplyError,
)
from firmware_bridges.miners.cgminer import (
    MAX_REPLY_BYTES,
    command_bytes,
    exchange,
    expect_success,
    parse_reply,
    reply_source,
    status_of,
)

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

GENEROUS_S = 30.0


async def exchange_with(serve: Serve, deadline_s: float = GENEROUS_S) -> bytes:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        return await exchange("127.0.0.1", port, command_bytes("summary"), deadline_s)
    finally:
        server.close()


def test_a_command_is_a_json_object_with_its_parameter() -> None:
    assert json.loads(command_bytes("stats")) == {"command": "stats"}
    assert json.loads(command_bytes("asc", "0")) == {"command": "asc", "parameter": "0"}


def test_a_nul_tail_is_no_part_of_the_reply() -> None:
    assert parse_reply(b'{"id": 1}\0\0\n\0') == {"id": 1}


@pytest.mark.parametrize("raw", [b"", b"\0", b"[1]", b"7", b'"x"', b"<html>", b'{"a":'])
def test_what_is_no_object_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedReplyError):
        parse_reply(raw)


def test_a_reply_beyond_the_bound_is_malformed() -> None:
    with pytest.raises(MalformedReplyError, match="longer than"):
        parse_reply(b" " * (MAX_REPLY_BYTES + 1))


def test_both_forms_of_status_are_read() -> None:
    listed = status_of({"STATUS": [{"STATUS": "E", "Code": 14, "Msg": "Invalid command"}]})
    flat = status_of({"STATUS": "E", "Code": 14, "Msg": "Invalid command"})
    assert listed == flat
    assert listed is not None
    assert listed.failed


def test_an_error_status_is_a_refusal_with_its_code() -> None:
    with pytest.raises(DeviceRefusedError, match="curtail: busy") as refused:
        expect_success({"STATUS": [{"STATUS": "E", "Code": 402, "Msg": "busy"}]}, "curtail")
    assert refused.value.code == 402


def test_a_reply_without_status_is_malformed() -> None:
    with pytest.raises(MalformedReplyError, match="no STATUS"):
        expect_success({"SUMMARY": []}, "summary")


def test_a_part_that_failed_is_kept_as_its_error() -> None:
    assert isinstance(reply_source(b"junk", "stats"), MalformedReplyError)
    assert reply_source(b'{"STATUS":"S","a":1}\0', "stats") == {"STATUS": "S", "a": 1}


async def test_the_reply_may_come_in_pieces_and_end_with_the_connection() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        for piece in (b'{"a"', b":1", b"}"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    assert await exchange_with(serve) == b'{"a":1}'


async def test_the_nul_ends_the_reply_of_a_device_that_keeps_the_connection_open() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b'{"a":1}\0')
        await writer.drain()
        await reader.read()  # until the client closes

    assert await exchange_with(serve) == b'{"a":1}\0'


async def test_silence_is_a_timeout() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    with pytest.raises(DeviceTimeoutError):
        await exchange_with(serve, deadline_s=0.2)


async def test_half_a_reply_and_then_silence_is_a_timeout() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"a":')
        await writer.drain()
        await reader.read()

    with pytest.raises(DeviceTimeoutError):
        await exchange_with(serve, deadline_s=0.2)


async def test_a_connection_closed_without_a_byte_is_unreachable() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)

    with pytest.raises(DeviceUnreachableError):
        await exchange_with(serve)


async def test_a_flood_is_cut_at_the_bound() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(64):
            writer.write(b"x" * 65_536)
            await writer.drain()

    with pytest.raises(MalformedReplyError, match="longer than"):
        await exchange_with(serve)


async def test_nobody_there_is_unreachable() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(DeviceUnreachableError):
        await exchange("127.0.0.1", port, b"{}", GENEROUS_S)


async def test_a_name_that_cannot_be_one_is_a_device_error() -> None:
    with pytest.raises(DeviceError):
        await exchange("no such host" + "x" * 300, 4028, b"{}", GENEROUS_S)
