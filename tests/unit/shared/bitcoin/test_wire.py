"""Serialised integers and lengths have one form, and nothing is read past the end."""

import pytest

from shared.bitcoin.errors import EncodingError
from shared.bitcoin.wire import Reader, u32, u64, var_bytes, varint


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"),
        (0xFC, "fc"),
        (0xFD, "fdfd00"),
        (0xFFFF, "fdffff"),
        (0x10000, "fe00000100"),
        (0xFFFFFFFF, "feffffffff"),
        (0x100000000, "ff0000000001000000"),
        (0xFFFFFFFFFFFFFFFF, "ffffffffffffffffff"),
    ],
)
def test_a_compact_size_is_written_in_its_shortest_form_and_read_back(
    value: int, encoded: str
) -> None:
    assert varint(value).hex() == encoded
    reader = Reader(bytes.fromhex(encoded))
    assert reader.varint() == value
    reader.end()


@pytest.mark.parametrize(
    "encoded",
    ["fd0000", "fdfc00", "fe00000000", "feffff0000", "ff0000000000000000", "ffffffffff00000000"],
)
def test_a_compact_size_in_a_longer_form_than_needed_is_refused(encoded: str) -> None:
    with pytest.raises(EncodingError, match="shortest form"):
        Reader(bytes.fromhex(encoded)).varint()


@pytest.mark.parametrize("value", [-1, 2**64])
def test_a_compact_size_outside_64_bits_is_refused(value: int) -> None:
    with pytest.raises(EncodingError, match="compact size"):
        varint(value)


def test_integers_that_do_not_fit_their_width_are_refused() -> None:
    assert u32(2**32 - 1) == b"\xff" * 4
    assert u64(1) == b"\x01" + bytes(7)
    with pytest.raises(EncodingError, match="u32"):
        u32(2**32)
    with pytest.raises(EncodingError, match="u32"):
        u32(-1)
    with pytest.raises(EncodingError, match="u64"):
        u64(2**64)


@pytest.mark.parametrize("encoded", ["", "fd01", "fe010203", "ff01020304050607"])
def test_a_compact_size_cut_short_is_refused(encoded: str) -> None:
    with pytest.raises(EncodingError, match="left"):
        Reader(bytes.fromhex(encoded)).varint()


def test_fields_are_read_in_order_and_little_endian() -> None:
    reader = Reader(bytes.fromhex("01 0200 03000000 0400000000000000 02aabb"), "message")
    assert (reader.u8(), reader.u16(), reader.u32(), reader.u64()) == (1, 2, 3, 4)
    assert reader.peek() == 2
    assert reader.var_bytes() == b"\xaa\xbb"
    assert reader.peek() is None
    assert reader.position == 18
    reader.end()


def test_bytes_left_over_are_refused_by_the_name_of_what_was_read() -> None:
    reader = Reader(b"\x00\x00", "message")
    reader.u8()
    with pytest.raises(EncodingError, match="message: 1 bytes after the end"):
        reader.end()


def test_a_length_above_the_limit_is_refused_before_it_is_read() -> None:
    assert Reader(var_bytes(b"abc")).var_bytes(limit=3) == b"abc"
    with pytest.raises(EncodingError, match="at most 2"):
        Reader(var_bytes(b"abc")).var_bytes(limit=2)


def test_a_count_that_the_remaining_bytes_cannot_hold_is_refused_at_once() -> None:
    with pytest.raises(EncodingError, match="items announced"):
        Reader(bytes.fromhex("feffffffff")).count(1)
    assert Reader(b"\x02ab").count(1) == 2


def test_a_negative_length_is_refused() -> None:
    with pytest.raises(EncodingError):
        Reader(b"ab").take(-1)
