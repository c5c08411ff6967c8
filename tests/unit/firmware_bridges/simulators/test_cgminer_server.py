"""The device's side of the 4028 API, as the simulators speak it."""

import asyncio
import json
from typing import Any

from firmware_bridges.simulators.cgminer import (
    MAX_REQUEST_BYTES,
    cgminer_exchange,
    refusal,
    replay,
)

CAPTURES = {"summary": b'{"SUMMARY": []}', "voltageget_1": b'{"VOLTAGE": [1]}'}


async def answer_to(request: bytes, *, joined: bool = True) -> Any:
    reader = asyncio.StreamReader()
    reader.feed_data(request)
    reader.feed_eof()
    reply = await cgminer_exchange(replay(CAPTURES), "SIM", joined=joined)(reader)
    if reply is None:
        return None
    assert reply.endswith(b"\0")
    return json.loads(reply[:-1])


def code_of(reply: Any) -> int:
    status = reply["STATUS"][0]
    assert status["STATUS"] == "E"
    return int(status["Code"])


async def test_a_command_gets_its_reply_with_a_nul() -> None:
    assert await answer_to(b'{"command": "summary"}') == {"SUMMARY": []}


async def test_a_parameter_chooses_among_captures() -> None:
    request = b'{"command": "voltageget", "parameter": "1"}\n'
    assert await answer_to(request) == {"VOLTAGE": [1]}


async def test_joined_commands_get_a_list_each() -> None:
    reply = await answer_to(b'{"command": "summary+pools"}')
    assert reply["summary"] == [{"SUMMARY": []}]
    assert code_of(reply["pools"][0]) == 14


async def test_without_joining_the_plus_is_part_of_an_unknown_name() -> None:
    assert code_of(await answer_to(b'{"command": "summary+pools"}', joined=False)) == 14


async def test_an_unknown_command_is_refused() -> None:
    assert code_of(await answer_to(b'{"command": "fly"}')) == 14


async def test_what_is_no_request_is_refused() -> None:
    for request in (b"[1]", b'{"command": 5}', b'{"command":', b"x" * (MAX_REQUEST_BYTES + 1)):
        assert code_of(await answer_to(request)) == 23


async def test_a_client_that_leaves_gets_nothing() -> None:
    assert await answer_to(b"") is None


def test_a_refusal_names_its_code_and_words() -> None:
    status = json.loads(refusal(402, "Another session is active", "SIM"))["STATUS"][0]
    assert (status["Code"], status["Msg"]) == (402, "Another session is active")
