"""Bitcoin's serialisation: little-endian integers, compact sizes, length-prefixed bytes."""

import struct

from shared.bitcoin.errors import EncodingError

MAX_BYTES = 4_000_000
"""Nothing that fits a block is longer (BIP141: four million weight units)."""
MAX_U32 = 0xFFFFFFFF
MAX_U64 = 0xFFFFFFFFFFFFFFFF

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_SHORT = [bytes((length,)) for length in range(0xFD)]


def u32(value: int) -> bytes:
    """Four bytes; EncodingError where it does not fit."""
    if not 0 <= value <= MAX_U32:
        raise EncodingError("u32", str(value), f"from 0 to {MAX_U32}")
    return _U32.pack(value)


def u64(value: int) -> bytes:
    """Eight bytes; EncodingError where it does not fit."""
    if not 0 <= value <= MAX_U64:
        raise EncodingError("u64", str(value), f"from 0 to {MAX_U64}")
    return _U64.pack(value)


def varint(value: int) -> bytes:
    """The compact size of `value`, 0 to 2**64 - 1: 1, 3, 5 or 9 bytes."""
    if 0 <= value < 0xFD:
        return _SHORT[value]
    if not 0 <= value <= MAX_U64:
        raise EncodingError("compact size", str(value), f"from 0 to {MAX_U64}")
    if value <= 0xFFFF:
        return b"\xfd" + _U16.pack(value)
    if value <= MAX_U32:
        return b"\xfe" + _U32.pack(value)
    return b"\xff" + _U64.pack(value)


def var_bytes(content: bytes) -> bytes:
    """`content` behind its length."""
    return varint(len(content)) + content


class Reader:
    """Reads `data` from front to back; every read past its end is an EncodingError.

    `field` names in errors what is being read.
    """

    __slots__ = ("_data", "_field", "_position")

    def __init__(self, data: bytes, field: str = "data") -> None:
        self._data = data
        self._position = 0
        self._field = field

    @property
    def position(self) -> int:
        """How many bytes were read."""
        return self._position

    @property
    def remaining(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._position

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        end = self._position + length
        if length < 0 or end > len(self._data):
            raise self._short(length)
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def peek(self) -> int | None:
        """The next byte without taking it; None at the end."""
        return self._data[self._position] if self._position < len(self._data) else None

    def u8(self) -> int:
        """One byte."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Two bytes."""
        return int.from_bytes(self.take(2), "little")

    def u32(self) -> int:
        """Four bytes."""
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        """Eight bytes."""
        return int.from_bytes(self.take(8), "little")

    def varint(self) -> int:
        """A compact size in its shortest form; every longer form is refused, as Core does."""
        first = self.take(1)[0]
        if first < 0xFD:
            return first
        width = 2 << (first - 0xFD)
        value = int.from_bytes(self.take(width), "little")
        smallest = 0xFD if width == 2 else 1 << (4 * width)
        if value < smallest:
            raise EncodingError(
                self._field,
                f"compact size {value} written in {width + 1} bytes",
                "the shortest form",
            )
        return value

    def count(self, smallest_bytes: int) -> int:
        """A compact size that counts items of at least `smallest_bytes` each: what is left fits it.

        So a few bytes cannot ask for an endless list.
        """
        counted = self.varint()
        if counted * smallest_bytes > self.remaining:
            raise EncodingError(
                self._field,
                f"{counted} items announced at {self._position}",
                f"at most {self.remaining // smallest_bytes}, what the bytes left can hold",
            )
        return counted

    def var_bytes(self, limit: int = MAX_BYTES) -> bytes:
        """Bytes behind their length, which is at most `limit`."""
        length = self.varint()
        if length > limit:
            raise EncodingError(self._field, f"{length} bytes announced", f"at most {limit} here")
        return self.take(length)

    def end(self) -> None:
        """Refuses bytes left over."""
        if self.remaining:
            raise EncodingError(
                self._field, f"{self.remaining} bytes after the end", "nothing after the end"
            )

    def _short(self, length: int) -> EncodingError:
        return EncodingError(
            self._field,
            f"{length} bytes wanted at {self._position}, {self.remaining} left",
            "complete data",
        )
