"""The subscriber's side of ZMTP, byte by byte."""

import pytest

from controller.chain.core_rpc.zmtp import Subscriber, ZmtpError, frame, greeting, ready


def _connected() -> Subscriber:
    subscriber = Subscriber([b"hashblock"])
    subscriber.receive(greeting() + ready(b"PUB"))
    return subscriber


def test_the_greeting_is_that_of_version_three_without_security() -> None:
    sent = Subscriber([]).first()
    assert len(sent) == 64
    assert sent[:12] == bytes.fromhex("ff00000000000000007f0300")
    assert sent[12:32] == b"NULL" + bytes(16)


def test_a_subscription_follows_the_publishers_ready() -> None:
    subscriber = Subscriber([b"hashblock"])
    answer, _ = subscriber.receive(greeting())
    assert answer == ready(b"SUB")
    assert answer == bytes.fromhex("0419") + b"\x05READY\x0bSocket-Type\x00\x00\x00\x03SUB"
    assert not subscriber.is_ready
    answer, _ = subscriber.receive(ready(b"PUB"))
    assert answer == b"\x00\x0a\x01hashblock"
    assert subscriber.is_ready


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_messages_come_whole_however_they_are_cut(size: int) -> None:
    subscriber = Subscriber([b"hashblock"])
    message = frame(b"hashblock", 1) + frame(bytes(32), 1) + frame(b"\x01\x00\x00\x00")
    stream = greeting() + ready(b"PUB") + message + frame(bytes(300))
    found = []
    for at in range(0, len(stream), size):
        found += subscriber.receive(stream[at : at + size])[1]
    assert found == [(b"hashblock", bytes(32), b"\x01\x00\x00\x00"), (bytes(300),)]


def test_a_ping_is_answered_with_its_context() -> None:
    answer, _ = _connected().receive(frame(b"\x04PING\x00\x0acontext", 4))
    assert answer == frame(b"\x04PONGcontext", 4)


@pytest.mark.parametrize(
    "stream",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        greeting()[:10] + b"\x01" + greeting()[11:],
        greeting()[:12] + b"CURVE".ljust(20, b"\x00") + greeting()[32:],
        greeting() + frame(b"\x05ERROR\x00", 4),
        greeting() + b"\x02" + (1 << 40).to_bytes(8, "big"),
        greeting() + ready(b"PUB") + frame(b"x", 1) * 17,
    ],
)
def test_anything_else_ends_the_connection(stream: bytes) -> None:
    with pytest.raises(ZmtpError):
        Subscriber([b"hashblock"]).receive(stream)
