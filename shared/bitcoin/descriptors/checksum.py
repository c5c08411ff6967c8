"""The checksum behind a descriptor (BIP380, Checksum): eight characters, as in bech32."""

from typing import Final

from shared.bitcoin.errors import DescriptorError

CHECKSUM_LENGTH: Final = 8
MAX_TEXT: Final = 500_000
"""Characters of a descriptor that is read at all."""

_INPUT: Final = (
    "0123456789()[],'/*abcdefgh@:$%{}"
    "IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~"
    'ijklmnopqrstuvwxyzABCDEFGH`#"\\ '
)
_VALUES: Final = {character: value for value, character in enumerate(_INPUT)}
_OUTPUT: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0xF5DEE51989, 0xA9FDCA3312, 0x1BAB10E32D, 0x3706B1677A, 0x644D626FFD)


def _steps() -> tuple[int, ...]:
    """What the five top bits of the state add, for every value of theirs."""
    steps = []
    for top in range(32):
        step = 0
        for bit, generator in enumerate(_GENERATOR):
            step ^= generator if top >> bit & 1 else 0
        steps.append(step)
    return tuple(steps)


_STEPS: Final = _steps()


def _feed(state: int, symbol: int) -> int:
    return ((state & 0x7FFFFFFFF) << 5) ^ symbol ^ _STEPS[state >> 35]


def checksum(text: str) -> str:
    """The checksum of a descriptor without it; DescriptorError for characters it cannot hold."""
    state, group, grouped = 1, 0, 0
    for character in text:
        value = _VALUES.get(character)
        if value is None:
            raise DescriptorError("descriptor", f"{character!r}", "the characters of BIP380")
        state = _feed(state, value & 31)
        group = group * 3 + (value >> 5)
        grouped += 1
        if grouped == 3:
            state = _feed(state, group)
            group, grouped = 0, 0
    if grouped:
        state = _feed(state, group)
    for _ in range(CHECKSUM_LENGTH):
        state = _feed(state, 0)
    state ^= 1
    return "".join(_OUTPUT[state >> 5 * (7 - place) & 31] for place in range(CHECKSUM_LENGTH))


def without_checksum(text: str) -> str:
    """The descriptor before its checksum, which has to fit where there is one."""
    if len(text) > MAX_TEXT:
        raise DescriptorError(
            "descriptor", f"{len(text)} characters", f"at most {MAX_TEXT} characters"
        )
    body, mark, given = text.partition("#")
    if mark and given != checksum(body):
        raise DescriptorError("descriptor", f"checksum {given[:20]!r}", repr(checksum(body)))
    return body
