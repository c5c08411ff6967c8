"""Deterministic CBOR (RFC 8949 section 4.2) within bounds, and checks for what was decoded.

No tags are taken (section 3.4) but the one that frames a COSE message: behind them lie numbers of
any length, which Python neither prints nor makes a float of, and items that refer to each other,
of which a few hundred bytes unfold into more than fits any memory.

Maps on this wire have keys of one kind (all text or all unsigned integers), for which the length
first order that cbor2 writes is also the bytewise order of section 4.2.1.
"""

from collections.abc import Callable, Mapping
from typing import Any

import cbor2

from shared.errors import BadInputError

MAX_PAYLOAD = 256 * 1024
"""Largest payload in bytes; a larger body travels over HTTPS, named by its SHA-256."""

MAX_INT64 = 2**63 - 1
_MAX_DEPTH = 16
_TAGS_OF_CBOR2 = (
    *(0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004),
    *(43_000, 55_799),
)


def encode(value: object) -> bytes:
    """The deterministic encoding of plain values (maps, lists, text, bytes, numbers, None)."""
    encoded: bytes = cbor2.dumps(value, canonical=True)
    return encoded


def decode(payload: bytes, field: str = "payload") -> Any:
    """One CBOR item, definite lengths, unique keys and no tags; `BadInputError` otherwise."""
    return _decode(payload, field, _refuse_tag)


def decode_tagged(payload: bytes, tag: int, field: str) -> Any:
    """What is tagged so, as `decode` takes it otherwise."""

    def open_tag(found: cbor2.CBORTag, *_: object) -> Any:
        return found if found.tag == tag else _refuse_tag()

    item = _decode(payload, field, open_tag)
    if not isinstance(item, cbor2.CBORTag):
        raise BadInputError(field, "not tagged", f"CBOR tag {tag}")
    return item.value


def _refuse_tag(*_: object) -> Any:
    raise ValueError("a tag")


_REFUSED = dict.fromkeys(_TAGS_OF_CBOR2, _refuse_tag)


def _decode(payload: bytes, field: str, hook: Callable[..., Any]) -> Any:
    if len(payload) > MAX_PAYLOAD:
        raise BadInputError(field, f"{len(payload)} bytes", f"at most {MAX_PAYLOAD} bytes")
    try:
        return cbor2.loads(
            payload,
            tag_hook=hook,
            semantic_decoders=_REFUSED,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            max_depth=_MAX_DEPTH,
        )
    except (cbor2.CBORDecodeError, ValueError, OverflowError, TypeError) as error:
        raise BadInputError(field, str(error), "one well-formed CBOR item") from error


def expect_map(value: object, field: str) -> Mapping[str, Any]:
    """`value` as a map with text keys."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise BadInputError(field, type(value).__name__, "a map with text keys")
    return value


def expect_list(value: object, field: str, most: int) -> list[Any]:
    """`value` as a list of at most `most` items."""
    if not isinstance(value, list):
        raise BadInputError(field, type(value).__name__, "an array")
    if len(value) > most:
        raise BadInputError(field, f"{len(value)} items", f"at most {most}")
    return value


def expect_int(value: object, field: str, low: int = 0, high: int = MAX_INT64) -> int:
    """`value` as an integer within [low, high]; a boolean is none."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadInputError(field, repr(value)[:60], f"an integer from {low} to {high}")
    return value


def expect_text(value: object, field: str, most: int = 200) -> str:
    """`value` as text of 1 to `most` characters."""
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        raise BadInputError(field, repr(value)[:60], f"text of 1 to {most} characters")
    return value


def expect_bytes(value: object, field: str, most: int = MAX_PAYLOAD) -> bytes:
    """`value` as a byte string of at most `most` bytes."""
    if not isinstance(value, bytes) or len(value) > most:
        raise BadInputError(field, type(value).__name__, f"a byte string of at most {most} bytes")
    return value


def expect_bool(value: object, field: str) -> bool:
    """`value` as a boolean."""
    if not isinstance(value, bool):
        raise BadInputError(field, repr(value)[:60], "true or false")
    return value


def take(fields: Mapping[str, Any], key: str) -> object:
    """The required entry `key` of a map."""
    if key not in fields:
        raise BadInputError(key, "missing", "present")
    return fields[key]
