"""Scripts: opcodes, minimal pushes, numbers, parsing, the standard output scripts.

Builders write nothing but minimal pushes; `parse` reads whatever consensus reads.
"""

from collections.abc import Iterator
from enum import Enum
from typing import TypeAlias

from shared.bitcoin.errors import ScriptError
from shared.bitcoin.hashes import hash160, sha256
from shared.bitcoin.opcodes import Op

__all__ = [
    "ANCHOR",
    "MAX_ELEMENT_BYTES",
    "MAX_MULTISIG_KEYS",
    "MAX_SCRIPT_BYTES",
    "Item",
    "Op",
    "ScriptKind",
    "classify",
    "decode_number",
    "encode_number",
    "null_data",
    "number",
    "p2pkh",
    "p2pkh_of_hash",
    "p2sh",
    "p2sh_of_hash",
    "p2tr",
    "p2wpkh",
    "p2wsh",
    "parse",
    "push",
    "read_multisig",
    "read_witness_program",
    "script",
    "witness_program",
]

MAX_ELEMENT_BYTES = 520
"""The longest stack element (consensus), hence the longest useful push."""
MAX_SCRIPT_BYTES = 10_000
"""The longest script that is not a tapscript (consensus)."""
MAX_MULTISIG_KEYS = 20
_MAX_NUMBER = 2**39 - 1  # five bytes: the widest that any opcode reads (BIP65, BIP112)


Item: TypeAlias = Op | int | bytes
"""What a script is written of: an opcode, a number or bytes to push."""

_BYTE = [bytes((code,)) for code in range(0x100)]
_OP_BY_CODE: list[Op | int] = [
    Op(code) if code in Op._value2member_map_ else code for code in range(0x100)
]


def push(data: bytes) -> bytes:
    """The minimal push of `data` (BIP62 rule 3): at most 520 bytes, else ScriptError."""
    length = len(data)
    if 1 < length < Op.PUSHDATA1:
        return _BYTE[length] + data
    if length == 0:
        return b"\x00"
    if length == 1:
        value = data[0]
        if 1 <= value <= 16:
            return _BYTE[Op.N1 - 1 + value]
        return b"\x4f" if value == 0x81 else b"\x01" + data
    if length <= 0xFF:
        return b"\x4c" + _BYTE[length] + data
    if length <= MAX_ELEMENT_BYTES:
        return b"\x4d" + length.to_bytes(2, "little") + data
    raise ScriptError("push", f"{length} bytes", f"at most {MAX_ELEMENT_BYTES} bytes")


def number(value: int) -> bytes:
    """The minimal push of a number whose magnitude is below 2**39, else ScriptError."""
    if 1 <= value <= 16:
        return _BYTE[Op.N1 - 1 + value]
    return push(encode_number(value))


def encode_number(value: int) -> bytes:
    """A number as a stack element: little-endian, sign in the top bit, no byte too many."""
    if not -_MAX_NUMBER <= value <= _MAX_NUMBER:
        raise ScriptError("number", str(value), f"from {-_MAX_NUMBER} to {_MAX_NUMBER}")
    magnitude = abs(value)
    encoded = bytearray(magnitude.to_bytes((magnitude.bit_length() + 8) // 8, "little"))
    if value == 0:
        return b""
    if value < 0:
        encoded[-1] |= 0x80
    return bytes(encoded)


def decode_number(element: bytes, limit: int = 4) -> int:
    """The number that a stack element of at most `limit` bytes is; only the minimal form."""
    if len(element) > limit:
        raise ScriptError("number", f"{len(element)} bytes", f"at most {limit} bytes")
    if not element:
        return 0
    value = int.from_bytes(element, "little")
    sign_bit = 1 << (8 * len(element) - 1)
    value = -(value - sign_bit) if value & sign_bit else value
    if encode_number(value) != element:
        raise ScriptError("number", element.hex(), "its shortest encoding")
    return value


def script(*items: Item) -> bytes:
    """A script of opcodes, numbers and pushed bytes, each push minimal.

    >>> script(Op.DUP, 2, b"\\x07" * 2).hex()
    '7652020707'
    """
    return b"".join(map(_encode, items))


def _encode(item: Item) -> bytes:
    if isinstance(item, Op):
        return _BYTE[item]
    return number(item) if isinstance(item, int) else push(item)


def parse(content: bytes) -> Iterator[tuple[Op | int, bytes | None]]:
    """Each opcode with the bytes that it pushes, None where it is no push of bytes.

    Direct pushes of 1 to 75 bytes are the plain int of their length, and so are opcodes without a
    name. `N0` pushes b""; the other small numbers give None. ScriptError at a push cut short.
    """
    position, end = 0, len(content)
    while position < end:
        code = content[position]
        position += 1
        if code > Op.PUSHDATA4:
            yield _OP_BY_CODE[code], None
            continue
        length = code
        if code >= Op.PUSHDATA1:
            width = 1 << (code - Op.PUSHDATA1)
            length = int.from_bytes(content[position : position + width], "little")
            position += width
        if position + length > end:
            raise ScriptError("script", f"push cut short at byte {position}", "complete pushes")
        yield _OP_BY_CODE[code], content[position : position + length]
        position += length


class ScriptKind(Enum):
    """What an output script asks for, as far as Bitcoin Core's `Solver` tells kinds apart."""

    P2PK = "public key"
    P2PKH = "public key hash"
    P2SH = "script hash"
    MULTISIG = "bare multisig"
    NULL_DATA = "data"
    P2WPKH = "witness v0 key hash"
    P2WSH = "witness v0 script hash"
    P2TR = "witness v1 taproot"
    P2A = "pay to anchor"
    WITNESS_UNKNOWN = "future witness version"
    NONSTANDARD = "other"


ANCHOR = bytes.fromhex("51024e73")
"""The pay-to-anchor output script, which anyone may spend."""


def p2pkh(public_key: bytes) -> bytes:
    """The output script that pays to the hash of a public key."""
    return p2pkh_of_hash(hash160(public_key))


def p2pkh_of_hash(key_hash: bytes) -> bytes:
    """The output script that pays to a public key's hash of 20 bytes."""
    _check_length("key hash", key_hash, 20)
    return b"\x76\xa9\x14" + key_hash + b"\x88\xac"


def p2sh(redeem_script: bytes) -> bytes:
    """The output script that pays to the hash of a redeem script (BIP16)."""
    if len(redeem_script) > MAX_ELEMENT_BYTES:
        raise ScriptError(
            "redeem script", f"{len(redeem_script)} bytes", f"at most {MAX_ELEMENT_BYTES}"
        )
    return p2sh_of_hash(hash160(redeem_script))


def p2sh_of_hash(script_hash: bytes) -> bytes:
    """The output script that pays to a redeem script's hash of 20 bytes."""
    _check_length("script hash", script_hash, 20)
    return b"\xa9\x14" + script_hash + b"\x87"


def p2wpkh(public_key: bytes) -> bytes:
    """The output script that pays to a compressed public key (BIP141)."""
    _check_length("compressed public key", public_key, 33)
    return b"\x00\x14" + hash160(public_key)


def p2wsh(witness_script: bytes) -> bytes:
    """The output script that pays to a witness script (BIP141)."""
    if len(witness_script) > MAX_SCRIPT_BYTES:
        raise ScriptError(
            "witness script", f"{len(witness_script)} bytes", f"at most {MAX_SCRIPT_BYTES}"
        )
    return b"\x00\x20" + sha256(witness_script)


def p2tr(output_key: bytes) -> bytes:
    """The output script that pays to an x-only output key, already tweaked (BIP341)."""
    _check_length("output key", output_key, 32)
    return b"\x51\x20" + output_key


def null_data(*chunks: bytes) -> bytes:
    """The output script that carries data and cannot be spent."""
    return script(Op.RETURN, *chunks)


def witness_program(version: int, program: bytes) -> bytes:
    """The output script of a witness program (BIP141): version 0 to 16, 2 to 40 bytes."""
    if not 0 <= version <= 16:
        raise ScriptError("witness version", str(version), "from 0 to 16")
    if not 2 <= len(program) <= 40 or (version == 0 and len(program) not in {20, 32}):
        allowed = "20 or 32 bytes" if version == 0 else "from 2 to 40 bytes"
        raise ScriptError("witness program", f"{len(program)} bytes", allowed)
    return number(version) + _BYTE[len(program)] + program


def read_witness_program(script_pubkey: bytes) -> tuple[int, bytes] | None:
    """Version and program where the output script is a witness program (BIP141), else None."""
    if not 4 <= len(script_pubkey) <= 42 or script_pubkey[1] != len(script_pubkey) - 2:
        return None
    opcode = script_pubkey[0]
    if opcode == 0:
        return 0, script_pubkey[2:]
    return (opcode - 0x50, script_pubkey[2:]) if Op.N1 <= opcode <= Op.N16 else None


def classify(script_pubkey: bytes) -> ScriptKind:
    """What kind of output script it is; NONSTANDARD for whatever has no name."""
    program = read_witness_program(script_pubkey)
    if program is not None:
        return _witness_kind(*program)
    length = len(script_pubkey)
    if length == 25 and script_pubkey[:3] == b"\x76\xa9\x14" and script_pubkey[23:] == b"\x88\xac":
        return ScriptKind.P2PKH
    if length == 23 and script_pubkey[:2] == b"\xa9\x14" and script_pubkey[22] == Op.EQUAL:
        return ScriptKind.P2SH
    if script_pubkey[:1] == b"\x6a":
        return ScriptKind.NULL_DATA if _is_push_only(script_pubkey[1:]) else ScriptKind.NONSTANDARD
    if _is_key(script_pubkey[1:-1]) and script_pubkey[0] == length - 2:
        return ScriptKind.P2PK if script_pubkey[-1] == Op.CHECKSIG else ScriptKind.NONSTANDARD
    return ScriptKind.MULTISIG if read_multisig(script_pubkey) else ScriptKind.NONSTANDARD


def read_multisig(content: bytes) -> tuple[int, tuple[bytes, ...]] | None:
    """Threshold and keys where the script is `m <keys> n CHECKMULTISIG` (1 to 20 keys), else None.

    The keys have a public key's length and first byte; whether they lie on the curve is not looked
    at.
    """
    if content[-1:] != b"\xae":
        return None
    try:
        items = list(parse(content))
    except ScriptError:
        return None
    if len(items) < 4:
        return None
    counts = [_count(*items[0]), _count(*items[-2])]
    keys = tuple(data for _, data in items[1:-2] if data is not None and _is_key(data))
    if not len(keys) == len(items) - 3 == counts[1] or not 1 <= counts[0] <= counts[1]:
        return None
    return counts[0], keys


def _count(opcode: Op | int, data: bytes | None) -> int:
    """The small number that an opcode pushes, 0 where it is none."""
    if Op.N1 <= opcode <= Op.N16:
        return opcode - Op.N1 + 1
    is_minimal = opcode == 1 and data is not None and 16 < data[0] <= MAX_MULTISIG_KEYS
    return data[0] if data is not None and is_minimal else 0


def _witness_kind(version: int, program: bytes) -> ScriptKind:
    if version == 0:
        return {20: ScriptKind.P2WPKH, 32: ScriptKind.P2WSH}.get(
            len(program), ScriptKind.NONSTANDARD
        )
    if version == 1 and len(program) == 32:
        return ScriptKind.P2TR
    is_anchor = version == 1 and program == ANCHOR[2:]
    return ScriptKind.P2A if is_anchor else ScriptKind.WITNESS_UNKNOWN


def _is_push_only(content: bytes) -> bool:
    try:
        return all(code <= Op.N16 for code, _ in parse(content))
    except ScriptError:
        return False


def _is_key(data: bytes) -> bool:
    """Whether it has a public key's length and first byte, as `CPubKey::ValidSize` looks."""
    if not data:
        return False
    return len(data) == {2: 33, 3: 33, 4: 65, 6: 65, 7: 65}.get(data[0])


def _check_length(field: str, data: bytes, length: int) -> None:
    if len(data) != length:
        raise ScriptError(field, f"{len(data)} bytes", f"{length} bytes")
