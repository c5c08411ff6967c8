"""From text to a policy."""

import re
from typing import Final

from shared.bitcoin.errors import MiniscriptError
from shared.bitcoin.miniscript.node import HASHES
from shared.bitcoin.miniscript.parser import split_arguments
from shared.bitcoin.policy.language import After, And, Hash, Key, Older, Or, Policy, Threshold

MAX_TEXT: Final = 100_000
MAX_DEPTH: Final = 16
MAX_PARTS: Final = 150
"""Parts in all: more than a template has, and few enough to compile."""

_CALL = re.compile(r"([a-z0-9]+)\((.+)\)", re.DOTALL)
_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
_WEIGHTED = re.compile(r"(?:([1-9][0-9]{0,6})@)?(.+)", re.DOTALL)
_KEY = re.compile(r"[0-9A-Za-z_\[\]/'*<>;().,\-]+")
_HASH_BY_NAME: Final = {one.value: one for one in HASHES}
_ALLOWED: Final = "pk, older, after, sha256, hash256, ripemd160, hash160, and, or, thresh"


def parse(text: str) -> Policy:
    """The policy that `text` is.

    `pk(KEY)`, `older(N)`, `after(N)`, `sha256(H)` and the other hashes, `and(P,P,...)`,
    `or(P,9@P,...)` with weights of likelihood, `thresh(K,P,...)`. MiniscriptError for all else.
    """
    if len(text) > MAX_TEXT:
        raise MiniscriptError("policy", f"{len(text)} characters", f"at most {MAX_TEXT}")
    if text.count("(") > MAX_PARTS:
        raise MiniscriptError("policy", f"{text.count('(')} parts", f"at most {MAX_PARTS}")
    return _parse(text, 0)


def _parse(text: str, depth: int) -> Policy:
    if depth > MAX_DEPTH:
        raise MiniscriptError("policy", f"deeper than {MAX_DEPTH}", f"at most {MAX_DEPTH}")
    match = _CALL.fullmatch(text)
    if match is None:
        raise MiniscriptError("policy", repr(text[:60]), f"one of {_ALLOWED}, with its arguments")
    name, inside = match.groups()
    if name == "and":
        return And(tuple(_parse(one, depth + 1) for one in split_arguments(inside)))
    if name == "or":
        return _parse_or(inside, depth)
    if name == "thresh":
        required, *parts = split_arguments(inside)
        return Threshold(_number(required), tuple(_parse(one, depth + 1) for one in parts))
    return _parse_leaf(name, inside)


def _parse_or(inside: str, depth: int) -> Or:
    parts, weights = [], []
    for one in split_arguments(inside):
        match = _WEIGHTED.fullmatch(one)
        if match is None:
            raise MiniscriptError("policy", "an empty part", "a policy, perhaps weighted")
        weights.append(int(match[1] or 1))
        parts.append(_parse(match[2], depth + 1))
    return Or(tuple(parts), tuple(weights))


def _parse_leaf(name: str, inside: str) -> Policy:
    if name == "pk":
        balanced = inside.count("(") == inside.count(")")
        if not _KEY.fullmatch(inside) or not balanced or len(split_arguments(inside)) != 1:
            raise MiniscriptError("policy", f"key {inside[:60]!r}", "one key expression")
        return Key(inside)
    if name == "older":
        return Older(_number(inside))
    if name == "after":
        return After(_number(inside))
    function = _HASH_BY_NAME.get(name)
    if function is None:
        raise MiniscriptError("policy", repr(name), f"one of {_ALLOWED}")
    if not re.fullmatch(f"[0-9a-fA-F]{{{2 * HASHES[function]}}}", inside):
        raise MiniscriptError("policy", f"{name} of {inside[:40]!r}", "the digest in hex")
    return Hash(function, bytes.fromhex(inside))


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise MiniscriptError("policy", repr(text[:40]), "a number without sign or leading zero")
    return int(text)
