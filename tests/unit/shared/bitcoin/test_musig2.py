"""MuSig2 against the vectors of BIP327 and BIP328, and against what must not happen twice."""

import json
from pathlib import Path
from typing import Any

import pytest
from btclib_secp256k1 import ffi, keys, musig
from coincurve import PublicKeyXOnly

from shared.bitcoin.bip32 import KeyPath
from shared.bitcoin.errors import KeyMaterialError
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.musig2 import (
    KeyAggregate,
    Musig2Error,
    SecretNonce,
    Session,
    Tweak,
    aggregate_nonces,
    derivation_tweaks,
    generate_nonce,
    sort_keys,
    synthetic_key,
)
from shared.bitcoin.networks import Network

# libsecp256k1's src/modules/musig: what marks its opaque structures as initialised.
SECRET_NONCE_MAGIC = bytes.fromhex("220edcf1")
MESSAGE = bytes.fromhex("aa" * 32)
SECRETS = tuple(PrivateKey(bytes(31) + bytes([number])) for number in (5, 7, 11))
KEYS = tuple(secret.public_key for secret in SECRETS)


@pytest.fixture(name="vectors")
def vectors_of_bip327(shared_data: Path) -> Path:
    return shared_data / "vectors" / "bip327"


def load(vectors: Path, name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((vectors / f"{name}.json").read_text())
    return read


def picked(data: dict[str, Any], name: str, indices: list[int]) -> list[bytes]:
    return [bytes.fromhex(data[name][index]) for index in indices]


def tweaks_of(data: dict[str, Any], case: dict[str, Any]) -> list[Tweak]:
    values = picked(data, "tweaks", case.get("tweak_indices", []))
    flags = case.get("is_xonly", [])
    return [Tweak(value, flag) for value, flag in zip(values, flags, strict=True)]


def restored(vector: str, aggregate: KeyAggregate, message: bytes) -> SecretNonce:
    """A vector's secret nonce (k1, k2, key) in the library's structure: only a test may do this."""
    raw = bytes.fromhex(vector)
    public_key = raw[64:97]
    secret = ffi.new("secp256k1_musig_secnonce *")
    parsed = keys.parse(public_key)
    content = SECRET_NONCE_MAGIC + raw[:64] + bytes(ffi.buffer(parsed))
    ffi.buffer(secret)[:] = content
    points = b"".join(
        keys.pubkey_from_prvkey(part) if any(part) else KEYS[0] for part in (raw[:32], raw[32:64])
    )
    nonce = musig.SecretNonce(secret, musig.pubnonce_parse(points), parsed)
    return SecretNonce(nonce, (public_key, aggregate.public_key, message))


def secret_scalars(nonce: SecretNonce) -> bytes:
    taken = nonce._nonce
    assert taken is not None
    return bytes(ffi.buffer(taken._secnonce))[4:68]


def test_keys_are_sorted_as_bip327_sorts_them(vectors: Path) -> None:
    data = load(vectors, "key_sort")
    given = [bytes.fromhex(key) for key in data["pubkeys"]]
    assert list(sort_keys(given)) == [bytes.fromhex(key) for key in data["sorted_pubkeys"]]


def test_keys_aggregate_to_the_vectors_keys(vectors: Path) -> None:
    data = load(vectors, "key_agg")
    for case in data["valid_test_cases"]:
        aggregate = KeyAggregate(picked(data, "pubkeys", case["key_indices"]))
        assert aggregate.x_only == bytes.fromhex(case["expected"])


def test_a_bad_key_or_tweak_is_named(vectors: Path) -> None:
    data = load(vectors, "key_agg")
    for case in data["error_test_cases"]:
        public_keys = picked(data, "pubkeys", case["key_indices"])
        with pytest.raises(Musig2Error) as refused:
            KeyAggregate(public_keys, tweaks_of(data, case))
        error = case["error"]
        if error["type"] == "invalid_contribution":
            assert refused.value.field == f"public_keys[{error['signer']}]"
        else:
            assert refused.value.field == "tweaks[0]"


def test_nonces_are_made_as_the_vectors_make_them(vectors: Path) -> None:
    """Of the four, one has a 32-byte message, the size the library signs."""
    data = load(vectors, "nonce_gen")
    ran = 0
    for case in data["test_cases"]:
        if case["sk"] is None:
            continue  # without its key; ours always binds the nonce to one
        secret, aggregate = PrivateKey(bytes.fromhex(case["sk"])), forged(case["pk"], case["aggpk"])
        message = bytes.fromhex(case["msg"])
        arguments = (bytes.fromhex(case["rand_"]), secret, aggregate, message)
        extra = bytes.fromhex(case["extra_in"])
        if len(message) != 32:
            with pytest.raises(Musig2Error, match="message"):
                generate_nonce(*arguments, extra)
            continue
        nonce = generate_nonce(*arguments, extra)
        assert nonce.public_nonce == bytes.fromhex(case["expected_pubnonce"])
        assert secret_scalars(nonce) == bytes.fromhex(case["expected_secnonce"])[:64]
        ran += 1
    assert ran == 1


def forged(public_key: str, x_only: str) -> KeyAggregate:
    """An aggregate with the vector's made-up key, which no keys aggregate to."""
    aggregate = KeyAggregate([bytes.fromhex(public_key)])
    point = bytes.fromhex(x_only)[::-1] + bytes(32)  # the library's words are little-endian
    ffi.buffer(aggregate.cache()._cache_())[4:68] = point
    return aggregate


def test_nonces_aggregate_to_the_vectors_nonces(vectors: Path) -> None:
    data = load(vectors, "nonce_agg")
    for case in data["valid_test_cases"]:
        given = picked(data, "pnonces", case["pnonce_indices"])
        assert aggregate_nonces(given) == bytes.fromhex(case["expected"])
    for case in data["error_test_cases"]:
        with pytest.raises(Musig2Error) as refused:
            aggregate_nonces(picked(data, "pnonces", case["pnonce_indices"]))
        assert refused.value.field == f"public_nonces[{case['error']['signer']}]"


def test_partial_signatures_are_the_vectors(vectors: Path) -> None:
    data = load(vectors, "sign_verify")
    secret = PrivateKey(bytes.fromhex(data["sk"]))
    signed = 0
    for case in data["valid_test_cases"]:
        public_keys = picked(data, "pubkeys", case["key_indices"])
        nonces = picked(data, "pnonces", case["nonce_indices"])
        message = bytes.fromhex(data["msgs"][case["msg_index"]])
        aggregate = KeyAggregate(public_keys)
        total = bytes.fromhex(data["aggnonces"][case["aggnonce_index"]])
        assert aggregate_nonces(nonces) == total
        if len(message) != 32:
            with pytest.raises(Musig2Error, match="message"):
                Session(aggregate, total, message)
            continue
        session = Session(aggregate, total, message)
        nonce = restored(data["secnonces"][0], aggregate, message)
        signature = session.partial_sign(nonce, secret)
        assert signature == bytes.fromhex(case["expected"])
        signer = case["signer_index"]
        assert session.partial_verify(signature, nonces[signer], public_keys[signer])
        signed += 1
    assert signed == 4


def test_what_must_not_be_signed_is_refused(vectors: Path) -> None:
    data = load(vectors, "sign_verify")
    secret = PrivateKey(bytes.fromhex(data["sk"]))
    for case in data["sign_error_test_cases"]:
        total = bytes.fromhex(data["aggnonces"][case["aggnonce_index"]])
        message = bytes.fromhex(data["msgs"][case["msg_index"]])
        public_keys = picked(data, "pubkeys", case["key_indices"])
        vector = data["secnonces"][case["secnonce_index"]]
        with pytest.raises(Musig2Error):
            signed_alone(public_keys, total, message, vector, secret)


def signed_alone(
    public_keys: list[bytes], total: bytes, message: bytes, vector: str, secret: PrivateKey
) -> bytes:
    aggregate = KeyAggregate(public_keys)
    session = Session(aggregate, total, message)
    return session.partial_sign(restored(vector, aggregate, message), secret)


def test_partial_signatures_that_do_not_hold_are_found(vectors: Path) -> None:
    data = load(vectors, "sign_verify")
    for case in data["verify_fail_test_cases"]:
        session, nonces, public_keys = session_of(data, case)
        signer = case["signer_index"]
        signature = bytes.fromhex(case["sig"])
        assert not session.partial_verify(signature, nonces[signer], public_keys[signer])
    for case in data["verify_error_test_cases"]:
        with pytest.raises(Musig2Error):
            session_of(data, case)


def session_of(
    data: dict[str, Any], case: dict[str, Any]
) -> tuple[Session, list[bytes], list[bytes]]:
    public_keys = picked(data, "pubkeys", case["key_indices"])
    nonces = picked(data, "pnonces", case["nonce_indices"])
    message = bytes.fromhex(data["msgs"][case["msg_index"]])
    session = Session(KeyAggregate(public_keys), aggregate_nonces(nonces), message)
    return session, nonces, public_keys


def test_tweaked_aggregates_sign_as_the_vectors_do(vectors: Path) -> None:
    data = load(vectors, "tweak")
    message, total = bytes.fromhex(data["msg"]), bytes.fromhex(data["aggnonce"])
    for case in data["valid_test_cases"]:
        public_keys = picked(data, "pubkeys", case["key_indices"])
        aggregate = KeyAggregate(public_keys, tweaks_of(data, case))
        nonce = restored(data["secnonce"], aggregate, message)
        session = Session(aggregate, total, message)
        signature = session.partial_sign(nonce, PrivateKey(bytes.fromhex(data["sk"])))
        assert signature == bytes.fromhex(case["expected"])
    for case in data["error_test_cases"]:
        with pytest.raises(Musig2Error, match="tweaks"):
            KeyAggregate(picked(data, "pubkeys", case["key_indices"]), tweaks_of(data, case))


def test_partial_signatures_add_up_to_the_vectors_signatures(vectors: Path) -> None:
    data = load(vectors, "sig_agg")
    message = bytes.fromhex(data["msg"])
    for case in data["valid_test_cases"] + data["error_test_cases"]:
        total = bytes.fromhex(case["aggnonce"])
        assert aggregate_nonces(picked(data, "pnonces", case["nonce_indices"])) == total
        public_keys = picked(data, "pubkeys", case["key_indices"])
        aggregate = KeyAggregate(public_keys, tweaks_of(data, case))
        session = Session(aggregate, total, message)
        parts = picked(data, "psigs", case["psig_indices"])
        if "error" in case:
            with pytest.raises(Musig2Error, match=r"signatures\[1\]"):
                session.aggregate(parts)
            continue
        signature = session.aggregate(parts)
        assert signature == bytes.fromhex(case["expected"])
        assert PublicKeyXOnly(aggregate.x_only).verify(signature, message)


def test_what_a_deterministic_signer_sent_verifies(vectors: Path) -> None:
    """Signing so is not offered, but such a co-signer's contribution has to be accepted."""
    data = load(vectors, "det_sign")
    verified = 0
    for case in data["valid_test_cases"]:
        message = bytes.fromhex(data["msgs"][case["msg_index"]])
        if len(message) != 32:
            continue  # not a message the library signs
        nonce, signature = (bytes.fromhex(part) for part in case["expected"])
        public_keys = picked(data, "pubkeys", case["key_indices"])
        flags = zip(case["tweaks"], case["is_xonly"], strict=True)
        tweaks = [Tweak(bytes.fromhex(value), flag) for value, flag in flags]
        total = aggregate_nonces([nonce, bytes.fromhex(case["aggothernonce"])])
        session = Session(KeyAggregate(public_keys, tweaks), total, message)
        assert session.partial_verify(signature, nonce, public_keys[case["signer_index"]])
        verified += 1
    assert verified == 3


BIP328_VECTORS = (
    (
        "0354240c76b8f2999143301a99c7f721ee57eee0bce401df3afeaa9ae218c70f23",
        "xpub661MyMwAqRbcFt6tk3uaczE1y6EvM1TqXvawXcYmFEWijEM4PDBnuCXwwXEKGEouzXE6QLLRxjatMcLLzJ5LV5N"
        "ib1BN7vJg6yp45yHHRbm",
        (
            "03935F972DA013F80AE011890FA89B67A27B7BE6CCB24D3274D18B2D4067F261A9",
            "02F9308A019258C31049344F85F89D5229B531C845836F99B08601F113BCE036F9",
        ),
    ),
    (
        "0290539eede565f5d054f32cc0c220126889ed1e5d193baf15aef344fe59d4610c",
        "xpub661MyMwAqRbcFt6tk3uaczE1y6EvM1TqXvawXcYmFEWijEM4PDBnuCXwwVk5TFJk8Tw5WAdV3DhrGfbFA216sE9"
        "BsQQiSFTdudkETnKdg8k",
        (
            "02F9308A019258C31049344F85F89D5229B531C845836F99B08601F113BCE036F9",
            "03DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "023590A94E768F8E1815C2F24B4D80A8E3149316C3518CE7B7AD338368D038CA66",
        ),
    ),
    (
        "022479f134cdb266141dab1a023cbba30a870f8995b95a91fc8464e56a7d41f8ea",
        "xpub661MyMwAqRbcFt6tk3uaczE1y6EvM1TqXvawXcYmFEWijEM4PDBnuCXwwUvaZYpysLX4wN59tjwU5pBuDjNrPEJ"
        "bfxjLwn7ruzbXTcUTHkZ",
        (
            "02DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "023590A94E768F8E1815C2F24B4D80A8E3149316C3518CE7B7AD338368D038CA66",
            "02F9308A019258C31049344F85F89D5229B531C845836F99B08601F113BCE036F9",
            "03935F972DA013F80AE011890FA89B67A27B7BE6CCB24D3274D18B2D4067F261A9",
        ),
    ),
)


@pytest.mark.parametrize(("aggregate", "xpub", "participants"), BIP328_VECTORS)
def test_aggregates_have_bip328s_extended_keys(
    aggregate: str, xpub: str, participants: tuple[str, ...]
) -> None:
    made = KeyAggregate([bytes.fromhex(key) for key in participants])
    assert made.plain.hex() == aggregate
    assert synthetic_key(made.plain).serialise(Network.MAINNET) == xpub


def test_the_tweaks_of_a_path_lead_to_the_derived_key() -> None:
    aggregate, path = KeyAggregate(KEYS), KeyPath((0, 7, 2**31 - 1))
    tweaked = aggregate.tweaked(*derivation_tweaks(aggregate.plain, path))
    assert tweaked.public_key == synthetic_key(aggregate.plain).derive(path).public_key
    assert tweaked.plain == aggregate.plain != tweaked.public_key
    with pytest.raises(KeyMaterialError, match="hardened"):
        derivation_tweaks(aggregate.plain, KeyPath((0, 2**31)))
