"""Frames and tokens of API v3."""

import json

import pytest

from firmware_bridges.errors import DeviceRefusedError, MalformedReplyError, NotAuthorisedError
from firmware_bridges.miners.whatsminer import v3_wire


def reply(**fields: object) -> bytes:
    return json.dumps({"code": 0, "when": 1692685512, "msg": "ok", **fields}).encode()


def test_a_frame_begins_with_its_length_little_endian() -> None:
    framed = v3_wire.request("get.device.info", "salt")
    assert framed[:4] == b"\x28\x00\x00\x00"
    assert json.loads(framed[4:]) == {"cmd": "get.device.info", "param": "salt"}
    assert v3_wire.frame_length(framed[:4]) == len(framed) - 4


def test_a_frame_beyond_the_bound_is_malformed() -> None:
    with pytest.raises(MalformedReplyError):
        v3_wire.frame_length(b"\x00\x00\x00\x7f")


def test_the_token_is_the_head_of_the_hash() -> None:
    """printf 'set.miner.servicecorrect horseQbVy1Ou31692685512' | openssl dgst -sha256 -binary |
    base64"""
    challenge = v3_wire.Challenge("QbVy1Ou3", 1692685512)
    assert v3_wire.token("set.miner.service", "correct horse", challenge) == "5dw3rSoa"


def test_a_write_carries_token_time_and_account() -> None:
    challenge = v3_wire.Challenge("QbVy1Ou3", 1692685512)
    sent = v3_wire.write_request("set.miner.service", "stop", challenge, "super", "correct horse")
    assert json.loads(sent[4:]) == {
        "cmd": "set.miner.service",
        "ts": 1692685512,
        "token": "5dw3rSoa",
        "account": "super",
        "param": "stop",
    }


def test_a_write_without_parameter_sends_none() -> None:
    challenge = v3_wire.Challenge("QbVy1Ou3", 1)
    sent = v3_wire.write_request("set.system.reboot", None, challenge, "super", "pw")
    assert "param" not in json.loads(sent[4:])


def test_the_challenge_takes_the_miners_own_time() -> None:
    raw = reply(msg={"salt": "uhCiDyVj"}, desc="get.device.info", when=1773869570)
    assert v3_wire.challenge_from(raw) == v3_wire.Challenge("uhCiDyVj", 1773869570)


@pytest.mark.parametrize(
    "raw",
    [
        reply(msg={}, desc="get.device.info"),
        reply(msg={"salt": 5}, desc="get.device.info"),
        reply(msg={"salt": "a"}, when="now", desc="get.device.info"),
        reply(msg={"salt": "a"}, when=True, desc="get.device.info"),
        b"[]",
        b"",
    ],
)
def test_a_challenge_without_salt_and_time_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedReplyError):
        v3_wire.challenge_from(raw)


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (reply(code=-4, msg="no permission"), NotAuthorisedError),
        (reply(code=-2, msg="invalid command"), DeviceRefusedError),
        (reply(code=-1), DeviceRefusedError),
        (reply(code="0"), MalformedReplyError),
        (reply(code=True), MalformedReplyError),
        (reply(desc="get.fan.setting"), MalformedReplyError),
        (b'{"code": 0}', MalformedReplyError),
        (b"nonsense", MalformedReplyError),
    ],
)
def test_a_reply_that_is_no_success_is_a_typed_error(raw: bytes, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        v3_wire.message(raw, "set.miner.service")
    assert type(caught.value) is error
