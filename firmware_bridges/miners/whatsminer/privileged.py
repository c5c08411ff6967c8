"""Privileged commands of API v1 and v2: token, key and ciphertext. Pure.

Source: MicroBT, "WhatsMiner API" V2.0.5 (and V1.3.8), sections "Protocol" and "API ciphertext",
compared with pyasic's `btminer.py` and asic-rs' `v2/rpc.rs`. Two traps: the signature covers the
time that the *miner* gave with its token, so the clock of this host is never used; and a miner
gives one client 32 tokens that live 30 minutes, so a token is kept and used again.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from firmware_bridges.errors import DeviceRefusedError, MalformedReplyError, NotAuthorisedError
from firmware_bridges.miners.whatsminer.md5crypt import md5crypt

TOKEN_LIFETIME_S = 30 * 60
RENEW_AFTER_S = 25 * 60
_BLOCK = 16

COMMAND_OK = 131
TOKEN_OK = 134
TOKEN_REJECTED = 135
TOO_MANY_TOKENS = 136
_DENIED = 45


@dataclass(frozen=True, slots=True)
class Grant:
    """What `get_token` gives: a time as text and two salts."""

    time: str
    salt: str
    newsalt: str


@dataclass(frozen=True, slots=True)
class Session:
    """A token's signature and the AES-256 key that goes with it."""

    sign: str = field(repr=False)
    key: bytes = field(repr=False)


def grant_from(reply: Mapping[str, Any]) -> Grant:
    """Reads the reply to `get_token`; the text "over max connect" is its refusal."""
    message = reply.get("Msg")
    match message:
        case {"time": str(time), "salt": str(salt), "newsalt": str(newsalt)}:
            return Grant(time, salt, newsalt)
        case str() if reply.get("Code") == TOO_MANY_TOKENS or "over max" in message:
            raise DeviceRefusedError(
                "get_token: the miner gives this client no more tokens (32 each 30 minutes)",
                TOO_MANY_TOKENS,
            )
    raise MalformedReplyError("get_token: no time, salt and newsalt in Msg")


def session_from(grant: Grant, password: str) -> Session:
    """The signature and key of a token."""
    key = md5crypt(password, grant.salt)
    sign = md5crypt(key + grant.time, grant.newsalt)
    return Session(sign, hashlib.sha256(key.encode()).digest())


def seal(session: Session, command: str, parameters: Mapping[str, str]) -> bytes:
    """The request of a privileged command, ready to send."""
    plain = json.dumps({"cmd": command, **parameters, "token": session.sign})
    return json.dumps({"enc": 1, "data": encrypt(session.key, plain.encode())}).encode()


def unseal(session: Session, reply: Mapping[str, Any]) -> dict[str, Any]:
    """The plain reply to a privileged command; errors of the miner come unencrypted."""
    sealed = reply.get("enc")
    if not isinstance(sealed, str):
        return dict(reply)
    plain = decrypt(session.key, sealed)
    try:
        opened = json.loads(plain)
    except ValueError as error:
        raise MalformedReplyError("an encrypted reply that is no JSON") from error
    if not isinstance(opened, dict):
        raise MalformedReplyError("an encrypted reply that is no object")
    return opened


def check(reply: Mapping[str, Any], command: str) -> None:
    """Raises what a reply of the form {"STATUS", "Code", "Msg"} says went wrong."""
    status, code, message = reply.get("STATUS"), reply.get("Code"), reply.get("Msg")
    if status in {"S", "I"} and code in {COMMAND_OK, TOKEN_OK}:
        return
    if status not in {"E", "F", "W", "S", "I"}:
        raise MalformedReplyError(f"{command}: no STATUS in the reply")
    said = f"{command}: {message!r} (code {code!r})"[:160]
    number = code if isinstance(code, int) else None
    closed = isinstance(message, str) and "access write" in message
    if number in {_DENIED, TOKEN_REJECTED} or closed:
        raise NotAuthorisedError(said, number)
    raise DeviceRefusedError(said, number)


def encrypt(key: bytes, plain: bytes) -> str:
    """AES-256-ECB of the text filled with NUL to full blocks, as base64."""
    padded = plain + b"\0" * (-len(plain) % _BLOCK)
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - the protocol's
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def decrypt(key: bytes, sealed: str) -> bytes:
    """The inverse of `encrypt`; `MalformedReplyError` when it is not base64 of full blocks."""
    try:
        data = base64.b64decode("".join(sealed.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedReplyError("ciphertext that is not base64") from error
    if not data or len(data) % _BLOCK:
        raise MalformedReplyError("ciphertext that is not of full blocks")
    decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()  # noqa: S305 - the protocol's
    return (decryptor.update(data) + decryptor.finalize()).rstrip(b"\0")
