"""Tokens, keys and ciphertext of API v1 and v2 against vectors made with the OpenSSL program."""

import json

import pytest

from firmware_bridges.errors import DeviceRefusedError, MalformedReplyError, NotAuthorisedError
from firmware_bridges.miners.whatsminer import privileged
from firmware_bridges.miners.whatsminer.md5crypt import md5crypt

GRANT = privileged.Grant(time="5626", salt="BQ5hoXV9", newsalt="jbzkfQls")


@pytest.mark.parametrize(
    ("word", "salt", "expected"),  # openssl passwd -1 -salt SALT WORD
    [
        ("admin", "BQ5hoXV9", "RxmaDUO33TS7O26yeMHZ81"),
        ("admin", "abc", "w4QgUNlSaYbMOHG4lWxgn."),
        ("admin", "", "CoERg7ynjYLsj2j4glJ34."),
        ("", "zzz", "OwOvlatPKvf/TODNnQ0La0"),
        ("Hello world!", "saltstring", "YMyguxXMBpd2TEZ.vS/3q1"),
        ("a" * 70, "5TiEKW/.", "ZoKH5RUV05K1xmSL/gfgt0"),
        ("žluťoučký kůň", "zzzz", "5dbDBDilZINLA2Z9fAQQo."),
    ],
)
def test_md5crypt_is_what_openssl_makes(word: str, salt: str, expected: str) -> None:
    assert md5crypt(word, salt) == expected


def test_the_signature_covers_the_key_and_the_miners_time() -> None:
    session = privileged.session_from(GRANT, "admin")
    assert session.sign == "w.BNbkCV6n1aNWgiBWLzT/"
    assert session.key.hex() == "199e0a202039bb7b558db7a54697dca29cb278055b7e659a127fb844d5a2fbf6"


def test_another_time_or_password_gives_another_signature() -> None:
    first = privileged.session_from(GRANT, "admin")
    later = privileged.session_from(privileged.Grant("5627", GRANT.salt, GRANT.newsalt), "admin")
    other = privileged.session_from(GRANT, "nimda")
    assert first.sign != later.sign
    assert first.key == later.key
    assert first.key != other.key


def test_ciphertext_is_what_openssl_makes() -> None:
    """openssl enc -aes-256-ecb -K KEY -nopad, of the text filled with NUL."""
    session = privileged.session_from(GRANT, "admin")
    sealed = privileged.encrypt(session.key, b'{"cmd": "power_on", "token": "x"}')
    assert sealed == "YJracrWpLn2XvqWuNiNqyvuvvzQcvuCXWm/voiYRQoAAemWrnNim9Sh/ybbgrzgY"
    assert privileged.decrypt(session.key, sealed) == b'{"cmd": "power_on", "token": "x"}'


def test_a_sealed_command_carries_its_parameters_and_the_signature() -> None:
    session = privileged.session_from(GRANT, "admin")
    sent = json.loads(privileged.seal(session, "adjust_power_limit", {"power_limit": "2500"}))
    assert sent["enc"] == 1
    assert json.loads(privileged.decrypt(session.key, sent["data"])) == {
        "cmd": "adjust_power_limit",
        "power_limit": "2500",
        "token": session.sign,
    }


def test_a_session_shows_neither_signature_nor_key() -> None:
    session = privileged.session_from(GRANT, "admin")
    assert session.sign not in repr(session)
    assert repr(session.key) not in repr(session)


def test_no_more_tokens_is_a_refusal_with_its_code() -> None:
    with pytest.raises(DeviceRefusedError, match="no more tokens") as caught:
        privileged.grant_from({"STATUS": "E", "Code": 136, "Msg": "over max connect"})
    assert caught.value.code == 136


@pytest.mark.parametrize("message", [None, {}, {"time": 5, "salt": "a", "newsalt": "b"}, "busy"])
def test_a_token_without_its_parts_is_malformed(message: object) -> None:
    with pytest.raises(MalformedReplyError):
        privileged.grant_from({"STATUS": "S", "Code": 134, "Msg": message})


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ({"STATUS": "E", "Code": 135, "Msg": "check token err"}, NotAuthorisedError),
        ({"STATUS": "E", "Code": 45, "Msg": "permission denied"}, NotAuthorisedError),
        ({"STATUS": "E", "Code": 14, "Msg": "can't access write cmd"}, NotAuthorisedError),
        ({"STATUS": "E", "Code": 132, "Msg": "command error"}, DeviceRefusedError),
        ({"STATUS": "S", "Code": 132, "Msg": "command error"}, DeviceRefusedError),
        ({"STATUS": "S"}, DeviceRefusedError),
        ({"Msg": "?"}, MalformedReplyError),
    ],
)
def test_a_reply_that_is_no_success_is_a_typed_error(
    reply: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        privileged.check(reply, "power_off")
    assert type(caught.value) is error


def test_success_passes() -> None:
    privileged.check({"STATUS": "S", "Code": 131, "Msg": "API command OK"}, "power_off")


def test_an_error_that_comes_unencrypted_is_taken_as_it_is() -> None:
    session = privileged.session_from(GRANT, "admin")
    reply = {"STATUS": "E", "Code": 135, "Msg": "check token err"}
    assert privileged.unseal(session, reply) == reply


@pytest.mark.parametrize("sealed", ["", "!!!", "AAAA", "A" * 63])
def test_what_is_no_ciphertext_is_malformed(sealed: str) -> None:
    with pytest.raises(MalformedReplyError):
        privileged.unseal(privileged.Session("s", bytes(32)), {"enc": sealed})
