"""Values laid into 16-bit registers, high word first."""

import struct
from collections.abc import Iterable


def float_words(value: float) -> tuple[int, int]:
    """IEEE 754 single precision."""
    high, low = struct.unpack(">HH", struct.pack(">f", value))
    return high, low


def int_words(value: int, registers: int) -> tuple[int, ...]:
    """Two's complement over so many registers; OverflowError when it does not fit."""
    data = value.to_bytes(2 * registers, "big", signed=value < 0)
    return struct.unpack(f">{registers}H", data)


def text_words(text: str, registers: int) -> tuple[int, ...]:
    """ASCII padded with NUL."""
    data = text.encode("ascii")[: 2 * registers].ljust(2 * registers, b"\0")
    return struct.unpack(f">{registers}H", data)


def place(table: dict[int, int], address: int, words: Iterable[int]) -> None:
    """Writes words into a table from an address on."""
    for offset, word in enumerate(words):
        table[address + offset] = word
