"""Keys sign as BIP340 and ECDSA have it, and a private key shows itself to nobody."""

import copy
import csv
import json
import pickle
from pathlib import Path

import pytest

from shared.bitcoin import base58
from shared.bitcoin.errors import KeyMaterialError, WrongNetworkError
from shared.bitcoin.keys import (
    CURVE_ORDER,
    PrivateKey,
    check_public_key,
    check_x_only,
    tweaked_public_key,
    tweaked_x_only,
    verify_ecdsa,
    verify_schnorr,
)
from shared.bitcoin.networks import Network

KEY = PrivateKey(b"\x42" * 32)
DIGEST = bytes(range(32))
NO_POINT = bytes(31) + b"\x05"


def test_signatures_are_bip340s(shared_data: Path) -> None:
    with (shared_data / "vectors" / "bip340.csv").open(newline="") as file:
        vectors = list(csv.DictReader(file))
    assert len(vectors) == 19
    signed = 0
    for vector in vectors:
        message, signature = bytes.fromhex(vector["message"]), bytes.fromhex(vector["signature"])
        x_only = bytes.fromhex(vector["public key"])
        is_valid = vector["verification result"] == "TRUE"
        assert verify_schnorr(x_only, message, signature) == is_valid, vector["comment"]
        if vector["secret key"]:
            key = PrivateKey(bytes.fromhex(vector["secret key"]))
            assert key.x_only == x_only
            if len(message) == 32:
                signed += 1
                assert key.sign_schnorr(message, bytes.fromhex(vector["aux_rand"])) == signature
    assert signed == 4


def test_an_ecdsa_signature_is_deterministic_and_has_a_low_s() -> None:
    signature = KEY.sign_ecdsa(DIGEST)
    assert signature == KEY.sign_ecdsa(DIGEST)
    assert verify_ecdsa(KEY.public_key, DIGEST, signature)
    for byte in range(40):
        s = _s_of(KEY.sign_ecdsa(bytes((byte,)) * 32))
        assert s <= CURVE_ORDER // 2


def _s_of(der: bytes) -> int:
    r_bytes = der[3]
    return int.from_bytes(der[4 + r_bytes + 2 :], "big")


def test_a_signature_of_another_digest_key_or_form_does_not_verify() -> None:
    signature = KEY.sign_ecdsa(DIGEST)
    other = PrivateKey(b"\x43" * 32)
    assert not verify_ecdsa(KEY.public_key, bytes(32), signature)
    assert not verify_ecdsa(other.public_key, DIGEST, signature)
    assert not verify_ecdsa(KEY.public_key, DIGEST, signature + b"\x00")
    assert not verify_ecdsa(KEY.public_key, DIGEST, b"")
    schnorr = KEY.sign_schnorr(DIGEST, bytes(32))
    assert not verify_schnorr(other.x_only, DIGEST, schnorr)
    assert not verify_schnorr(KEY.x_only, DIGEST, schnorr + b"\x01")
    assert not verify_schnorr(NO_POINT, DIGEST, schnorr)


def test_a_high_s_is_not_accepted() -> None:
    signature = KEY.sign_ecdsa(DIGEST)
    r_part = signature[2 : 4 + signature[3]]
    s = (CURVE_ORDER - _s_of(signature)).to_bytes(33, "big")
    high = b"\x30" + bytes((len(r_part) + 35,)) + r_part + b"\x02\x21" + s
    assert not verify_ecdsa(KEY.public_key, DIGEST, high)


def test_randomness_changes_a_schnorr_signature_and_must_be_32_bytes() -> None:
    assert KEY.sign_schnorr(DIGEST, bytes(32)) != KEY.sign_schnorr(DIGEST, b"\x01" * 32)
    for aux_rand in (b"", bytes(31), bytes(33)):
        with pytest.raises(KeyMaterialError, match="aux_rand"):
            KEY.sign_schnorr(DIGEST, aux_rand)


@pytest.mark.parametrize("digest", [b"", bytes(31), bytes(33)])
def test_only_digests_of_32_bytes_are_signed(digest: bytes) -> None:
    with pytest.raises(KeyMaterialError, match="digest"):
        KEY.sign_ecdsa(digest)
    with pytest.raises(KeyMaterialError, match="digest"):
        KEY.sign_schnorr(digest, bytes(32))
    with pytest.raises(KeyMaterialError, match="digest"):
        verify_ecdsa(KEY.public_key, digest, b"")


def test_a_private_key_is_not_shown_printed_formatted_pickled_or_copied() -> None:
    secret = KEY.reveal().hex()
    for shown in (repr(KEY), str(KEY), f"{KEY}", f"{[KEY]}"):
        assert secret not in shown
        assert "secret" in shown
    for leak in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            leak(KEY)


@pytest.mark.parametrize(
    "secret",
    [b"", bytes(32), bytes(31), bytes(33), CURVE_ORDER.to_bytes(32, "big"), b"\xff" * 32],
)
def test_a_number_that_is_no_private_key_is_refused_and_not_shown(secret: bytes) -> None:
    with pytest.raises(KeyMaterialError) as refusal:
        PrivateKey(secret)
    assert secret.hex() not in str(refusal.value) or not secret


def test_wallet_import_format_is_read_back_on_its_own_network_alone() -> None:
    one = PrivateKey(bytes(31) + b"\x01")
    text = one.wif(Network.MAINNET)
    assert text == "KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn"
    assert PrivateKey.of_wif(text, Network.MAINNET).reveal() == one.reveal()
    with pytest.raises(WrongNetworkError) as refusal:
        PrivateKey.of_wif(text, Network.REGTEST)
    assert text not in str(refusal.value)
    assert PrivateKey.of_wif(one.wif(Network.SIGNET), Network.REGTEST).public_key == one.public_key


@pytest.mark.parametrize(
    "payload",
    [
        b"\x80" + b"\x01" * 32,
        b"\x80" + b"\x01" * 32 + b"\x02",
        b"\x80" + b"\x01" * 33 + b"\x01",
        b"\x81" + b"\x01" * 32 + b"\x01",
        b"\x80" + bytes(32) + b"\x01",
        b"",
    ],
)
def test_text_that_is_no_key_of_a_compressed_public_key_is_refused(payload: bytes) -> None:
    with pytest.raises(KeyMaterialError):
        PrivateKey.of_wif(base58.encode_check(payload), Network.MAINNET)


def test_a_mistyped_key_is_refused() -> None:
    with pytest.raises(KeyMaterialError, match="checksum"):
        PrivateKey.of_wif(KEY.wif(Network.MAINNET)[:-1] + "x", Network.MAINNET)


@pytest.mark.parametrize("byte", range(1, 12))
def test_private_and_public_keys_are_tweaked_alike(byte: int) -> None:
    key, tweak = PrivateKey(bytes((byte,)) * 32), bytes((byte + 1,)) * 32
    assert key.tweaked(tweak).public_key == tweaked_public_key(key.public_key, tweak)
    even = key.with_even_y()
    assert even.public_key == b"\x02" + key.x_only
    tweaked, parity = tweaked_x_only(key.x_only, tweak)
    assert even.tweaked(tweak).public_key == bytes((2 + parity,)) + tweaked


def test_a_tweak_out_of_range_or_to_nothing_is_refused() -> None:
    opposite = (CURVE_ORDER - int.from_bytes(KEY.reveal(), "big")).to_bytes(32, "big")
    for tweak in (b"", b"\xff" * 32, CURVE_ORDER.to_bytes(32, "big"), opposite):
        with pytest.raises(KeyMaterialError):
            KEY.tweaked(tweak)
        with pytest.raises(KeyMaterialError):
            tweaked_public_key(KEY.public_key, tweak)


def test_public_keys_that_are_no_points_are_refused_by_name() -> None:
    assert check_public_key("key", KEY.public_key) == KEY.public_key
    assert check_x_only("key", KEY.x_only) == KEY.x_only
    for key in (b"\x02" + NO_POINT, b"\x04" + KEY.x_only, KEY.x_only, b""):
        with pytest.raises(KeyMaterialError, match="my key"):
            check_public_key("my key", key)
    for x_only in (NO_POINT, KEY.public_key, b"\xff" * 32):
        with pytest.raises(KeyMaterialError, match="my key"):
            check_x_only("my key", x_only)
    with pytest.raises(KeyMaterialError, match="x-only"):
        tweaked_x_only(KEY.public_key, bytes(32))
