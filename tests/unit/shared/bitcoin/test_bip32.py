"""Extended keys and paths are BIP32's, BIP84's and BIP86's."""

import copy
import pickle
from typing import Any

import pytest

from shared.bitcoin import address, base58
from shared.bitcoin import script as scripts
from shared.bitcoin.bip32 import (
    HARDENED,
    ExtendedPrivateKey,
    ExtendedPublicKey,
    KeyOrigin,
    KeyPath,
    Purpose,
    account_path,
)
from shared.bitcoin.bip39 import seed_of
from shared.bitcoin.errors import BitcoinError, KeyMaterialError, WrongNetworkError
from shared.bitcoin.networks import Network
from shared.bitcoin.taproot import TaprootOutput
from tests.unit.shared.bitcoin.vectors import load

VECTORS = load("bip32")
MAIN = Network.MAINNET
ABOUT = "abandon " * 11 + "about"
MASTER = ExtendedPrivateKey.of_seed(bytes(16))


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=["1", "2", "3", "4"])
def test_every_chain_of_the_bips_vectors_is_derived(vector: dict[str, Any]) -> None:
    master = ExtendedPrivateKey.of_seed(bytes.fromhex(vector["seed"]))
    for chain in vector["chain"]:
        path = KeyPath.parse(chain["path"])
        key = master.derive(path)
        assert key.serialise(MAIN) == chain["xprv"]
        assert key.public.serialise(MAIN) == chain["xpub"]
        assert ExtendedPrivateKey.parse(chain["xprv"], MAIN).public == key.public
        assert ExtendedPublicKey.parse(chain["xpub"], MAIN) == key.public
        if path.indices and path.indices[-1] < HARDENED:
            parent = master.derive(KeyPath(path.indices[:-1])).public
            assert parent.child(path.indices[-1]) == key.public


@pytest.mark.parametrize("vector", VECTORS["invalid"], ids=lambda vector: vector["why"])
def test_the_bips_invalid_keys_are_refused_and_not_shown(vector: dict[str, Any]) -> None:
    kind = ExtendedPublicKey if vector["key"].startswith("xpub") else ExtendedPrivateKey
    with pytest.raises(KeyMaterialError) as refusal:
        kind.parse(vector["key"], MAIN)
    assert vector["key"][20:40] not in str(refusal.value)


def test_a_private_key_is_not_read_as_a_public_one_nor_the_other_way_round() -> None:
    chain = VECTORS["valid"][0]["chain"][0]
    with pytest.raises(KeyMaterialError, match="no public one"):
        ExtendedPublicKey.parse(chain["xprv"], MAIN)
    with pytest.raises(KeyMaterialError, match="no private one"):
        ExtendedPrivateKey.parse(chain["xpub"], MAIN)


def test_a_key_of_another_network_is_refused() -> None:
    text = MASTER.public.serialise(Network.SIGNET)
    assert text.startswith("tpub")
    assert ExtendedPublicKey.parse(text, Network.REGTEST) == MASTER.public
    with pytest.raises(WrongNetworkError, match="main"):
        ExtendedPublicKey.parse(text, MAIN)
    secret = MASTER.serialise(MAIN)
    with pytest.raises(WrongNetworkError):
        ExtendedPrivateKey.parse(secret, Network.REGTEST)


def test_an_extended_key_of_another_length_is_refused() -> None:
    for length in (0, 77, 79):
        with pytest.raises(KeyMaterialError, match="78 bytes"):
            ExtendedPublicKey.parse(base58.encode_check(bytes(length)), MAIN)


def test_bip84s_account_is_derived_from_its_mnemonic() -> None:
    account = ExtendedPrivateKey.of_seed(seed_of(ABOUT)).derive(account_path(Purpose.P2WPKH, MAIN))
    for path, key, expected in [
        (
            "0/0",
            "KyZpNDKnfs94vbrwhJneDi77V6jF64PWPF8x5cdJb8ifgg2DUc9d",
            "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
        ),
        (
            "0/1",
            "Kxpf5b8p3qX56DKEe5NqWbNUP9MnqoRFzZwHRtsFqhzuvUJsYZCy",
            "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g",
        ),
        (
            "1/0",
            "KxuoxufJL5csa1Wieb2kp29VNdn92Us8CoaUG3aGtPtcF3AzeXvF",
            "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el",
        ),
    ]:
        child = account.derive(KeyPath.parse(path))
        assert child.private_key.wif(MAIN) == key
        public = account.public.derive(KeyPath.parse(path)).public_key
        assert address.encode(scripts.p2wpkh(public), MAIN) == expected


def test_bip86s_account_is_derived_from_its_mnemonic() -> None:
    master = ExtendedPrivateKey.of_seed(seed_of(ABOUT))
    assert master.public.serialise(MAIN) == (
        "xpub661MyMwAqRbcFkPHucMnrGNzDwb6teAX1RbKQmqtEF8kK3Z7LZ59qafCjB9eCRLiTVG3uxBxgKvRgbubRhqSKXn"
        "GGb1aoaqLrpMBDrVxga8"
    )
    account = master.derive(account_path(Purpose.P2TR, MAIN)).public
    for path, internal_key, expected in [
        (
            "0/0",
            "cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115",
            "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
        ),
        (
            "0/1",
            "83dfe85a3151d2517290da461fe2815591ef69f2b18a2ce63f01697a8b313145",
            "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh",
        ),
        (
            "1/0",
            "399f1b2f4393f29a18c937859c5dd8a77350103157eb880f02e8c08214277cef",
            "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7",
        ),
    ]:
        key = account.derive(KeyPath.parse(path)).public_key[1:]
        assert key.hex() == internal_key
        assert address.encode(TaprootOutput(key).script_pubkey, MAIN) == expected


@pytest.mark.parametrize(
    ("purpose", "network", "account", "text"),
    [
        (Purpose.P2PKH, Network.MAINNET, 0, "44h/0h/0h"),
        (Purpose.P2WPKH, Network.TESTNET4, 3, "84h/1h/3h"),
        (Purpose.P2TR, Network.REGTEST, HARDENED - 1, "86h/1h/2147483647h"),
    ],
)
def test_an_accounts_path_is_purpose_coin_and_account(
    purpose: Purpose, network: Network, account: int, text: str
) -> None:
    assert str(account_path(purpose, network, account)) == text


@pytest.mark.parametrize("account", [-1, HARDENED])
def test_an_account_outside_the_hardened_range_is_refused(account: int) -> None:
    with pytest.raises(KeyMaterialError, match="account"):
        account_path(Purpose.P2TR, MAIN, account)


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        ("m", ()),
        ("", ()),
        ("m/0", (0,)),
        ("0h/1'/2h", (HARDENED, HARDENED + 1, HARDENED + 2)),
        ("m/2147483647h/2147483647", (2**32 - 1, HARDENED - 1)),
    ],
)
def test_a_path_is_read_in_every_usual_spelling(text: str, indices: tuple[int, ...]) -> None:
    path = KeyPath.parse(text)
    assert path.indices == indices
    assert KeyPath.parse(str(path)) == path
    assert path.is_hardened == any(index >= HARDENED for index in indices)


@pytest.mark.parametrize(
    "text",
    [
        "/",
        "m/",
        "m//0",
        "m/00",
        "m/01",
        "m/-1",
        "m/2147483648",
        "m/2147483648h",
        "m/1hh",
        "m/x",
        "m/1H",
        "m/0x1",
        "m/1 ",
        " m/1",
        "n/1",
        "m/1/",
        "m/²",
        "0/" * 255 + "0",
        "1" * 5000,
    ],
)
def test_text_that_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(KeyMaterialError):
        KeyPath.parse(text)


def test_a_path_with_a_step_outside_32_bits_is_refused() -> None:
    with pytest.raises(KeyMaterialError):
        KeyPath((2**32,))
    with pytest.raises(KeyMaterialError):
        KeyPath((-1,))


def test_a_key_origin_is_written_as_descriptors_write_it_and_read_back() -> None:
    origin = KeyOrigin.parse("d34db33f/84h/0h/0h")
    assert origin.fingerprint.hex() == "d34db33f"
    assert str(origin) == "d34db33f/84h/0h/0h"
    assert str(origin.child(KeyPath((0, 5)))) == "d34db33f/84h/0h/0h/0/5"
    assert KeyOrigin.parse("00000000") == KeyOrigin(bytes(4))
    assert str(KeyOrigin(bytes(4))) == "00000000"


@pytest.mark.parametrize(
    "text", ["", "d34db33", "d34db33f/", "g34db33f", "d34db33f/x", "d34db33f0"]
)
def test_text_that_is_no_key_origin_is_refused(text: str) -> None:
    with pytest.raises(KeyMaterialError):
        KeyOrigin.parse(text)


def test_a_fingerprint_of_another_length_is_refused() -> None:
    with pytest.raises(KeyMaterialError, match="fingerprint"):
        KeyOrigin(bytes(5))


def test_a_public_key_has_no_hardened_children() -> None:
    with pytest.raises(KeyMaterialError, match="not hardened"):
        MASTER.public.child(HARDENED)
    with pytest.raises(KeyMaterialError):
        MASTER.child(2**32)


def test_an_index_without_a_key_is_refused_and_names_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hmac.digest", lambda *_: b"\xff" * 64)
    for key in (MASTER, MASTER.public):
        with pytest.raises(KeyMaterialError, match="the next index"):
            key.child(0)


@pytest.mark.parametrize("length", [0, 15, 65])
def test_a_seed_outside_128_to_512_bits_is_refused(length: int) -> None:
    with pytest.raises(KeyMaterialError, match="from 16 to 64"):
        ExtendedPrivateKey.of_seed(bytes(length))


def test_an_extended_private_key_shows_and_pickles_nothing() -> None:
    shown = repr(MASTER) + str(MASTER) + f"{MASTER}"
    assert MASTER.private_key.reveal().hex() not in shown
    assert MASTER.chain_code.hex() not in shown
    assert repr(MASTER.chain_code)[2:-1] not in shown
    with pytest.raises(TypeError):
        pickle.dumps(MASTER)


def test_an_extended_public_key_is_copied_and_pickled_whole() -> None:
    key = MASTER.public.child(3)
    for one in (copy.deepcopy(key), pickle.loads(pickle.dumps(key))):  # noqa: S301 - written above
        assert one == key
        assert one.child(1) == key.child(1)
        assert one.child_key(1) == key.child(1).public_key


def test_a_childs_place_is_kept() -> None:
    child = MASTER.derive(KeyPath.parse("1h/7"))
    assert (child.depth, child.child_number) == (2, 7)
    assert child.parent_fingerprint == MASTER.child(HARDENED | 1).fingerprint
    assert child.fingerprint == child.public.fingerprint
    assert child.public.serialise_bytes(MAIN)[:4] == MAIN.xpub_version


def test_fields_of_a_wrong_length_are_refused() -> None:
    key = MASTER.public.public_key
    wrong_ones: list[tuple[Any, ...]] = [
        (key, bytes(31)),
        (key, bytes(32), 256),
        (key, bytes(32), 1, bytes(3)),
        (key, bytes(32), 0, bytes(4), 1),
        (key[1:], bytes(32)),
        (key, bytes(32), 1, bytes(4), 2**32),
    ]
    for wrong in wrong_ones:
        with pytest.raises(BitcoinError):
            ExtendedPublicKey(*wrong)
