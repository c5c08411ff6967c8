"""Scripts are built with minimal pushes, read as consensus reads them, and told apart by kind."""

import pytest

from shared.bitcoin import script as scripts
from shared.bitcoin.errors import ScriptError
from shared.bitcoin.hashes import hash160, sha256
from shared.bitcoin.script import Op, ScriptKind

KEY = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
OTHER_KEY = bytes.fromhex("02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5")


@pytest.mark.parametrize(
    ("data", "pushed"),
    [
        (b"", "00"),
        (b"\x00", "0100"),
        (b"\x01", "51"),
        (b"\x10", "60"),
        (b"\x11", "0111"),
        (b"\x81", "4f"),
        (b"\x80", "0180"),
        (b"ab", "026162"),
        (b"a" * 75, "4b" + "61" * 75),
        (b"a" * 76, "4c4c" + "61" * 76),
        (b"a" * 255, "4cff" + "61" * 255),
        (b"a" * 256, "4d0001" + "61" * 256),
        (b"a" * 520, "4d0802" + "61" * 520),
    ],
)
def test_a_push_is_the_shortest_that_leaves_the_data(data: bytes, pushed: str) -> None:
    assert scripts.push(data).hex() == pushed


def test_a_push_above_520_bytes_is_refused() -> None:
    with pytest.raises(ScriptError, match="at most 520"):
        scripts.push(bytes(521))


@pytest.mark.parametrize(
    ("value", "pushed"),
    [
        (0, "00"),
        (-1, "4f"),
        (1, "51"),
        (16, "60"),
        (17, "0111"),
        (127, "017f"),
        (128, "028000"),
        (-128, "028080"),
        (144, "029000"),
        (65_535, "03ffff00"),
        (500_000_000, "040065cd1d"),
        (2**31 - 1, "04ffffff7f"),
        (2**31, "050000008000"),
        (2**39 - 1, "05ffffffff7f"),
        (-(2**39 - 1), "05ffffffffff"),
    ],
)
def test_a_number_is_pushed_in_its_only_minimal_form_and_read_back(value: int, pushed: str) -> None:
    assert scripts.number(value).hex() == pushed
    assert scripts.decode_number(scripts.encode_number(value), limit=5) == value


@pytest.mark.parametrize("value", [2**39, -(2**39)])
def test_a_number_wider_than_any_opcode_reads_is_refused(value: int) -> None:
    with pytest.raises(ScriptError, match="number"):
        scripts.number(value)


@pytest.mark.parametrize("element", ["00", "80", "0100", "0080", "ff0000", "7f80"])
def test_a_number_with_a_byte_too_many_is_refused(element: str) -> None:
    with pytest.raises(ScriptError, match="shortest"):
        scripts.decode_number(bytes.fromhex(element))


def test_a_number_longer_than_its_reader_allows_is_refused() -> None:
    five = scripts.encode_number(2**31)
    with pytest.raises(ScriptError, match="at most 4"):
        scripts.decode_number(five)
    assert scripts.decode_number(five, limit=5) == 2**31


def test_a_script_is_written_of_opcodes_numbers_and_bytes_and_parsed_back() -> None:
    written = scripts.script(2, KEY, OTHER_KEY, 2, Op.CHECKMULTISIG, 144, b"", Op.DROP)
    assert list(scripts.parse(written)) == [
        (Op.N2, None),
        (33, KEY),
        (33, OTHER_KEY),
        (Op.N2, None),
        (Op.CHECKMULTISIG, None),
        (2, b"\x90\x00"),
        (Op.N0, b""),
        (Op.DROP, None),
    ]


def test_pushes_that_are_not_minimal_are_read_too() -> None:
    read = list(scripts.parse(bytes.fromhex("4c0161 4d010062 4e0100000063 fe")))
    assert read == [
        (Op.PUSHDATA1, b"a"),
        (Op.PUSHDATA2, b"b"),
        (Op.PUSHDATA4, b"c"),
        (0xFE, None),
    ]


@pytest.mark.parametrize("cut", ["02ff", "4c", "4c01", "4d01", "4d0100", "4effffffff00", "4e0000"])
def test_a_push_cut_short_is_refused(cut: str) -> None:
    with pytest.raises(ScriptError, match="cut short"):
        list(scripts.parse(bytes.fromhex(cut)))


def test_the_standard_output_scripts_are_those_of_their_bips() -> None:
    assert scripts.p2pkh(KEY) == b"\x76\xa9\x14" + hash160(KEY) + b"\x88\xac"
    assert scripts.p2sh(b"\x51") == b"\xa9\x14" + hash160(b"\x51") + b"\x87"
    assert scripts.p2wpkh(KEY) == b"\x00\x14" + hash160(KEY)
    assert scripts.p2wsh(b"\x51") == b"\x00\x20" + sha256(b"\x51")
    assert scripts.p2tr(KEY[1:]) == b"\x51\x20" + KEY[1:]
    assert scripts.null_data(b"bes").hex() == "6a03626573"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (scripts.script(KEY, Op.CHECKSIG), ScriptKind.P2PK),
        (b"\x41\x04" + bytes(64) + b"\xac", ScriptKind.P2PK),
        (scripts.p2pkh(KEY), ScriptKind.P2PKH),
        (scripts.p2sh(b"\x51"), ScriptKind.P2SH),
        (scripts.p2wpkh(KEY), ScriptKind.P2WPKH),
        (scripts.p2wsh(b"\x51"), ScriptKind.P2WSH),
        (scripts.p2tr(KEY[1:]), ScriptKind.P2TR),
        (scripts.ANCHOR, ScriptKind.P2A),
        (scripts.witness_program(1, bytes(33)), ScriptKind.WITNESS_UNKNOWN),
        (scripts.witness_program(16, bytes(2)), ScriptKind.WITNESS_UNKNOWN),
        (b"\x00\x15" + bytes(21), ScriptKind.NONSTANDARD),
        (scripts.null_data(), ScriptKind.NULL_DATA),
        (scripts.null_data(b"a", b"b"), ScriptKind.NULL_DATA),
        (b"\x6a\xac", ScriptKind.NONSTANDARD),
        (b"\x6a\x05a", ScriptKind.NONSTANDARD),
        (scripts.script(1, KEY, OTHER_KEY, 2, Op.CHECKMULTISIG), ScriptKind.MULTISIG),
        (scripts.script(3, KEY, OTHER_KEY, 2, Op.CHECKMULTISIG), ScriptKind.NONSTANDARD),
        (scripts.script(1, KEY, OTHER_KEY, 3, Op.CHECKMULTISIG), ScriptKind.NONSTANDARD),
        (scripts.script(1, KEY, b"no key", 2, Op.CHECKMULTISIG), ScriptKind.NONSTANDARD),
        (scripts.script(KEY, Op.CHECKSIGVERIFY), ScriptKind.NONSTANDARD),
        (b"\x02\xae", ScriptKind.NONSTANDARD),
        (b"\xae", ScriptKind.NONSTANDARD),
        (b"", ScriptKind.NONSTANDARD),
    ],
)
def test_an_output_script_is_told_by_its_kind(content: bytes, kind: ScriptKind) -> None:
    assert scripts.classify(content) is kind


def test_a_multisig_of_twenty_keys_is_read_with_its_threshold() -> None:
    content = scripts.script(17, *[KEY] * 20, 20, Op.CHECKMULTISIG)
    assert scripts.read_multisig(content) == (17, (KEY,) * 20)
    assert scripts.read_multisig(scripts.script(1, *[KEY] * 21, 21, Op.CHECKMULTISIG)) is None


def test_a_witness_program_keeps_the_limits_of_bip141() -> None:
    assert scripts.read_witness_program(scripts.witness_program(5, b"ab")) == (5, b"ab")
    assert scripts.read_witness_program(b"\x51\x01a") is None
    for version, length in [(0, 21), (1, 1), (1, 41), (17, 32), (-1, 32)]:
        with pytest.raises(ScriptError, match="witness"):
            scripts.witness_program(version, bytes(length))


def test_hashes_keys_and_scripts_of_a_wrong_length_are_refused() -> None:
    with pytest.raises(ScriptError, match="20 bytes"):
        scripts.p2pkh_of_hash(bytes(21))
    with pytest.raises(ScriptError, match="20 bytes"):
        scripts.p2sh_of_hash(bytes(19))
    with pytest.raises(ScriptError, match="33 bytes"):
        scripts.p2wpkh(bytes(65))
    with pytest.raises(ScriptError, match="32 bytes"):
        scripts.p2tr(KEY)
    with pytest.raises(ScriptError, match="at most 520"):
        scripts.p2sh(bytes(521))
    with pytest.raises(ScriptError, match="at most 10000"):
        scripts.p2wsh(bytes(10_001))
