"""Addresses are those of BIP173 and BIP350, and one of another network is told as such."""

import pytest

from shared.bitcoin import address, base58, bech32
from shared.bitcoin import script as scripts
from shared.bitcoin.bech32 import Variant
from shared.bitcoin.errors import AddressError, BitcoinError, EncodingError, WrongNetworkError
from shared.bitcoin.networks import Network
from tests.unit.shared.bitcoin.vectors import load

VECTORS = load("bech32")
KEY = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")


@pytest.mark.parametrize("variant", list(Variant))
def test_the_bips_valid_strings_are_read_and_written_back(variant: Variant) -> None:
    for text in VECTORS[variant.name.lower()]:
        prefix, values, read = bech32.decode(text)
        assert read is variant
        assert bech32.encode(prefix, values, variant) == text.lower()


@pytest.mark.parametrize("text", VECTORS["not_bech32"] + VECTORS["not_bech32m"])
def test_the_bips_invalid_strings_are_refused(text: str) -> None:
    with pytest.raises(EncodingError):
        bech32.decode(text)


@pytest.mark.parametrize(("text", "script_pubkey"), VECTORS["addresses"])
def test_the_bips_addresses_pay_to_their_scripts(text: str, script_pubkey: str) -> None:
    network = Network.MAINNET if text.lower().startswith("bc") else Network.TESTNET4
    assert address.decode(text, network).hex() == script_pubkey
    assert address.encode(bytes.fromhex(script_pubkey), network) == text.lower()


@pytest.mark.parametrize("text", VECTORS["not_addresses"])
def test_the_bips_invalid_addresses_are_refused_on_every_network(text: str) -> None:
    for network in Network:
        with pytest.raises(AddressError):
            address.decode(text, network)


@pytest.mark.parametrize(
    ("text", "script_pubkey"),
    [
        (
            "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
            "76a91477bff20c60e522dfaa3350c39b030a5d004e839a88ac",
        ),
        ("3P14159f73E4gFr7JterCCQh9QjiTjiZrG", "a914e9c3dd0c07aac76179ebc76a6c78d4d67c6c160a87"),
    ],
)
def test_base58_addresses_pay_to_their_scripts(text: str, script_pubkey: str) -> None:
    assert address.decode(text, Network.MAINNET).hex() == script_pubkey
    assert address.encode(bytes.fromhex(script_pubkey), Network.MAINNET) == text


@pytest.mark.parametrize("network", list(Network))
@pytest.mark.parametrize(
    "script_pubkey",
    [
        scripts.p2pkh(KEY),
        scripts.p2sh(b"\x51"),
        scripts.p2wpkh(KEY),
        scripts.p2wsh(b"\x51"),
        scripts.p2tr(KEY[1:]),
        scripts.ANCHOR,
        scripts.witness_program(16, b"ab"),
    ],
)
def test_an_address_is_taken_only_on_networks_that_share_its_prefix(
    script_pubkey: bytes, network: Network
) -> None:
    text = address.encode(script_pubkey, network)
    for other in Network:
        if address.encode(script_pubkey, other) == text:
            assert address.decode(text, other) == script_pubkey
        else:
            with pytest.raises(WrongNetworkError, match=f"an address of {other.value}"):
                address.decode(text, other)


def test_an_address_in_upper_case_is_the_same() -> None:
    text = address.encode(scripts.p2tr(KEY[1:]), Network.REGTEST)
    assert address.decode(text.upper(), Network.REGTEST) == scripts.p2tr(KEY[1:])


@pytest.mark.parametrize("at", range(42))
def test_one_wrong_character_anywhere_is_found(at: int) -> None:
    text = address.encode(scripts.p2wpkh(KEY), Network.MAINNET)
    wrong = "q" if text[at] != "q" else "p"
    with pytest.raises(AddressError):
        address.decode(text[:at] + wrong + text[at + 1 :], Network.MAINNET)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "x" * 91,
        "bc1",
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3",
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN0",
        base58.encode_check(bytes((7,)) + bytes(20)),
        base58.encode_check(bytes(20)),
    ],
)
def test_text_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        address.decode(text, Network.MAINNET)


@pytest.mark.parametrize(
    "script_pubkey",
    [b"", scripts.null_data(b"x"), scripts.script(KEY, scripts.Op.CHECKSIG), b"\x00\x03abc"],
)
def test_a_script_without_an_address_is_refused(script_pubkey: bytes) -> None:
    with pytest.raises(AddressError):
        address.encode(script_pubkey, Network.MAINNET)


def test_base58_keeps_leading_zeros_and_finds_wrong_checksums() -> None:
    for payload in (b"", b"\x00", b"\x00\x00abc", b"\xff" * 40):
        assert base58.decode_check(base58.encode_check(payload)) == payload
    with pytest.raises(EncodingError, match="checksum"):
        base58.decode_check(base58.encode_check(b"abc") + "1")
    with pytest.raises(EncodingError, match="checksum"):
        base58.decode_check("")
    with pytest.raises(EncodingError, match="at most 128"):
        base58.decode_check("1" * 129)


def test_a_base58_error_never_shows_the_text() -> None:
    secret = base58.encode_check(b"secret" * 5)
    with pytest.raises(BitcoinError) as refusal:
        base58.decode_check(secret[:-1] + "l")
    assert secret[:8] not in str(refusal.value)


def test_text_that_bech32_cannot_hold_is_not_written() -> None:
    for prefix, values in [("", [0]), ("BC", [0]), ("bc", [32]), ("bc", [0] * 99), ("b c", [0])]:
        with pytest.raises(EncodingError):
            bech32.encode(prefix, values, Variant.BECH32M)
