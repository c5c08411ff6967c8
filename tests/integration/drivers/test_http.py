"""HTTP to one device: every way to fail is a typed error."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from firmware_bridges.errors import (
    DeviceError,
    DeviceRefusedError,
    DeviceTimeoutError,
    DeviceUnreachableError,
    MalformedReplyError,
    NotAuthorisedError,
)
from firmware_bridges.miners.http import MAX_BODY_BYTES, HttpDevice
from firmware_bridges.simulators.misbehaviour import Misbehaviour, Script
from firmware_bridges.simulators.tcp import TcpSimulator
from firmware_bridges.simulators.web import WebSimulator


async def _echo(request: web.Request) -> web.StreamResponse:
    return web.json_response(
        {
            "body": (await request.read()).decode(),
            "type": request.headers.get("Content-Type", ""),
            "query": request.query_string,
            "cookie": request.cookies.get("session_id", ""),
        }
    )


async def _login(_request: web.Request) -> web.StreamResponse:
    response = web.Response(status=302, headers={"Location": "/elsewhere"})
    response.set_cookie("session_id", "s1")
    return response


async def _status(request: web.Request) -> web.StreamResponse:
    return web.Response(status=int(request.match_info["code"]), text="said so")


async def _large(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"x" * (MAX_BODY_BYTES + int(request.match_info["more"])))


async def _nan(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=b'{"power": NaN}')


ROUTES = [
    web.get("/echo", _echo),
    web.post("/echo", _echo),
    web.post("/login", _login),
    web.get("/status/{code}", _status),
    web.get("/large/{more}", _large),
    web.get("/nan", _nan),
]


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
async def device(script: Script) -> AsyncIterator[HttpDevice]:
    simulator = WebSimulator(ROUTES, script)
    await simulator.start()
    device = HttpDevice("127.0.0.1", simulator.port, deadline_s=30.0)
    yield device
    await device.close()
    await simulator.stop()


async def test_json_goes_out_and_comes_back(device: HttpDevice) -> None:
    answer = await device.request_json("POST", "/echo?x=1", json_body={"watt": 5})
    assert answer == {
        "body": '{"watt":5}',
        "type": "application/json",
        "query": "x=1",
        "cookie": "",
    }


async def test_a_body_of_falsehood_is_still_a_body(device: HttpDevice) -> None:
    assert (await device.request_json("POST", "/echo", json_body=False))["body"] == "false"


async def test_a_redirect_is_an_error_but_answers_a_form_and_its_cookie_is_kept(
    device: HttpDevice,
) -> None:
    with pytest.raises(DeviceRefusedError) as caught:
        await device.request("POST", "/login")
    assert caught.value.code == 302
    reply = await device.submit_form("/login", {"user": "root", "password": "a b&c"})
    assert reply.cookies == {"session_id"}
    assert (await device.request_json("GET", "/echo"))["cookie"] == "s1"


async def test_a_form_is_sent_encoded(device: HttpDevice) -> None:
    answer = (await device.submit_form("/echo", {"password": "a b&c"})).json("echo")
    assert answer["body"] == "password=a+b%26c"
    assert answer["type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (401, NotAuthorisedError),
        (403, NotAuthorisedError),
        (404, DeviceRefusedError),
        (409, DeviceRefusedError),
        (500, DeviceRefusedError),
    ],
)
async def test_a_status_of_failure_is_a_typed_error_with_its_code(
    device: HttpDevice, code: int, error: type[DeviceRefusedError]
) -> None:
    with pytest.raises(error, match="said so") as caught:
        await device.request("GET", f"/status/{code}")
    assert type(caught.value) is error
    assert caught.value.code == code


async def test_a_body_beyond_the_bound_is_malformed(device: HttpDevice) -> None:
    assert len((await device.request("GET", "/large/0")).body) == MAX_BODY_BYTES
    with pytest.raises(MalformedReplyError, match="above"):
        await device.request("GET", "/large/1")


async def test_nan_is_no_json(device: HttpDevice) -> None:
    with pytest.raises(MalformedReplyError, match="NaN"):
        await device.request_json("GET", "/nan")


@pytest.mark.parametrize(
    ("misbehaviour", "error"),
    [
        (Misbehaviour.CUT_OFF, DeviceUnreachableError),
        (Misbehaviour.GARBAGE, MalformedReplyError),
        (Misbehaviour.REBOOT, DeviceUnreachableError),
    ],
)
async def test_a_device_that_misbehaves_is_a_typed_error_and_can_be_asked_again(
    device: HttpDevice, script: Script, misbehaviour: Misbehaviour, error: type[DeviceError]
) -> None:
    script.order(misbehaviour)
    with pytest.raises(error):
        await device.request_json("GET", "/echo")
    script.clear()
    assert (await device.request_json("GET", "/echo"))["body"] == ""


async def test_no_answer_within_the_deadline_is_a_timeout(
    device: HttpDevice, script: Script
) -> None:
    script.order(Misbehaviour.TIMEOUT)
    with pytest.raises(DeviceTimeoutError):
        await device.request("GET", "/echo", deadline_s=0.2)


async def test_what_is_not_http_is_malformed() -> None:
    async def noise(_reader: asyncio.StreamReader) -> bytes | None:
        return b"\x15\x03\x01 this is no HTTP\r\n\r\n"

    simulator = TcpSimulator(noise, Script())
    await simulator.start()
    device = HttpDevice("127.0.0.1", simulator.port, deadline_s=30.0)
    with pytest.raises(MalformedReplyError):
        await device.request("GET", "/")
    await device.close()
    await simulator.stop()


async def test_nobody_listening_is_unreachable() -> None:
    with socket.socket() as bound:  # holds the port, so that nobody else listens there
        bound.bind(("127.0.0.1", 0))
        device = HttpDevice("127.0.0.1", bound.getsockname()[1], deadline_s=30.0)
        with pytest.raises(DeviceUnreachableError):
            await device.request("GET", "/")
        await device.close()


async def test_a_closed_device_opens_anew(device: HttpDevice) -> None:
    await device.request("GET", "/echo")
    await device.close()
    assert (await device.request("GET", "/echo")).status == 200
