"""Digests are those of BIP143 and BIP341, and what has no meaning yet is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.bitcoin.errors import BitcoinError, SighashError
from shared.bitcoin.hashes import sha256
from shared.bitcoin.keys import PrivateKey, verify_ecdsa, verify_schnorr
from shared.bitcoin.sighash import SegwitV0Sighash, SighashType, TaprootSighash, key_hash_code
from shared.bitcoin.taproot import Leaf, tweaked_private_key
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.unit.shared.bitcoin.vectors import load

BIP143 = load("bip143")["vectors"]
TRANSACTION = Transaction(
    2,
    (TxIn(OutPoint(bytes(32), 0)), TxIn(OutPoint(bytes(32), 1))),
    (TxOut(1_000, b"\x51"),),
)
PREVOUTS = (TxOut(700, b"\x51"), TxOut(800, b"\x52"))


@pytest.fixture(scope="module")
def key_path(shared_data: Path) -> dict[str, Any]:
    vectors = json.loads((shared_data / "vectors" / "bip341_wallet.json").read_text("utf-8"))
    (only,) = vectors["keyPathSpending"]
    return dict(only)


@pytest.mark.parametrize("vector", BIP143, ids=lambda vector: vector["name"])
def test_a_digest_is_bip143s_and_its_key_signs_as_in_the_bip(vector: dict[str, Any]) -> None:
    transaction = Transaction.parse(bytes.fromhex(vector["transaction"]))
    digest = SegwitV0Sighash(transaction).digest(
        vector["input"],
        bytes.fromhex(vector["script_code"]),
        vector["amount_sat"],
        vector["sighash_type"],
    )
    assert digest.hex() == vector["sighash"]
    if vector["private_key"]:
        key = PrivateKey(bytes.fromhex(vector["private_key"]))
        assert key.sign_ecdsa(digest).hex() == vector["signature"]
        assert verify_ecdsa(key.public_key, digest, bytes.fromhex(vector["signature"]))


def _unsigned(key_path: dict[str, Any]) -> tuple[Transaction, tuple[TxOut, ...]]:
    given = key_path["given"]
    prevouts = tuple(
        TxOut(one["amountSats"], bytes.fromhex(one["scriptPubKey"])) for one in given["utxosSpent"]
    )
    return Transaction.parse(bytes.fromhex(given["rawUnsignedTx"])), prevouts


def test_digests_and_signatures_are_bip341s(key_path: dict[str, Any]) -> None:
    sighash = TaprootSighash(*_unsigned(key_path))
    for spending in key_path["inputSpending"]:
        given, between = spending["given"], spending["intermediary"]
        digest = sighash.digest(given["txinIndex"], given["hashType"])
        assert digest.hex() == between["sigHash"]
        root = bytes.fromhex(given["merkleRoot"]) if given["merkleRoot"] else None
        key = tweaked_private_key(PrivateKey(bytes.fromhex(given["internalPrivkey"])), root)
        assert key.reveal().hex() == between["tweakedPrivkey"]
        signature = key.sign_schnorr(digest, bytes(32)) + SighashType(given["hashType"]).suffix
        assert signature.hex() == spending["expected"]["witness"][0]
        assert verify_schnorr(key.x_only, digest, signature[:64])


def test_what_permits_the_spending_does_not_change_a_digest(key_path: dict[str, Any]) -> None:
    signed = Transaction.parse(bytes.fromhex(key_path["auxiliary"]["fullySignedTx"]))
    sighash = TaprootSighash(signed, _unsigned(key_path)[1])
    for spending in key_path["inputSpending"]:
        given, index = spending["given"], spending["given"]["txinIndex"]
        digest = sighash.digest(index, given["hashType"])
        assert digest.hex() == spending["intermediary"]["sigHash"]
        assert [one.hex() for one in signed.inputs[index].witness] == spending["expected"][
            "witness"
        ]


def test_the_parts_are_hashed_once_for_all_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = 0

    def counted(data: bytes) -> bytes:
        nonlocal hashed
        hashed += 1
        return sha256(data)

    monkeypatch.setattr("shared.bitcoin.sighash.sha256", counted)
    inputs = tuple(TxIn(OutPoint(bytes(32), index)) for index in range(50))
    transaction = Transaction(2, inputs, (TxOut(1, b""),))
    sighash = TaprootSighash(transaction, (TxOut(1, b""),) * 50)
    assert len({sighash.digest(index) for index in range(50)}) == 50
    assert hashed == 5


def test_every_part_that_a_type_covers_changes_the_digest_and_no_other_does() -> None:
    def digest(transaction: Transaction, sighash_type: int) -> bytes:
        return TaprootSighash(transaction, PREVOUTS).digest(0, sighash_type)

    other_output = Transaction(2, TRANSACTION.inputs, (TxOut(999, b"\x51"),))
    other_input = Transaction(
        2, (TRANSACTION.inputs[0], TxIn(OutPoint(bytes(32), 5))), TRANSACTION.outputs
    )
    for sighash_type in (SighashType.DEFAULT, SighashType.ALL, SighashType.SINGLE):
        assert digest(other_output, sighash_type) != digest(TRANSACTION, sighash_type)
        assert digest(other_input, sighash_type) != digest(TRANSACTION, sighash_type)
    assert digest(other_output, SighashType.NONE) == digest(TRANSACTION, SighashType.NONE)
    own_only = SighashType.ALL_ANYONE_CAN_PAY
    assert digest(other_input, own_only) == digest(TRANSACTION, own_only)


def test_a_leafs_digest_is_bound_to_the_leaf_and_the_code_separator() -> None:
    sighash = TaprootSighash(TRANSACTION, PREVOUTS)
    leaf, other = Leaf(b"\x51"), Leaf(b"\x52")
    digests = {
        sighash.digest(0),
        sighash.leaf_digest(0, leaf),
        sighash.leaf_digest(0, other),
        sighash.leaf_digest(0, leaf, code_separator=3),
        sighash.leaf_digest(1, leaf),
    }
    assert len(digests) == 5
    assert sighash.digest(0, leaf_hash=leaf.hash) == sighash.leaf_digest(0, leaf)


def test_a_leaf_version_without_a_meaning_is_not_signed() -> None:
    with pytest.raises(SighashError, match="leaf version"):
        TaprootSighash(TRANSACTION, PREVOUTS).leaf_digest(0, Leaf(b"\x51", 0xC2))


def test_an_input_with_an_annex_is_not_signed() -> None:
    with_annex = TRANSACTION.with_witnesses([(bytes(64), b"\x50annex"), (b"\x50",)])
    sighash = TaprootSighash(with_annex, PREVOUTS)
    with pytest.raises(SighashError, match="annex"):
        sighash.digest(0)
    assert sighash.digest(1) == TaprootSighash(TRANSACTION, PREVOUTS).digest(1)


@pytest.mark.parametrize("sighash_type", [-1, 4, 0x80, 0x84, 0xFF, 0x101])
def test_a_sighash_type_without_a_meaning_is_refused(sighash_type: int) -> None:
    with pytest.raises(SighashError, match="sighash type"):
        TaprootSighash(TRANSACTION, PREVOUTS).digest(0, sighash_type)
    with pytest.raises(SighashError, match="sighash type"):
        SegwitV0Sighash(TRANSACTION).digest(0, b"\x51", 1, sighash_type)


def test_the_default_type_is_taproots_alone() -> None:
    with pytest.raises(SighashError, match="sighash type"):
        SegwitV0Sighash(TRANSACTION).digest(0, b"\x51", 1, SighashType.DEFAULT)


def test_taproots_single_without_an_output_of_its_own_is_refused() -> None:
    sighash = TaprootSighash(TRANSACTION, PREVOUTS)
    assert sighash.digest(0, SighashType.SINGLE)
    for sighash_type in (SighashType.SINGLE, SighashType.SINGLE_ANYONE_CAN_PAY):
        with pytest.raises(SighashError, match="SINGLE without output 1"):
            sighash.digest(1, sighash_type)


@pytest.mark.parametrize("index", [-1, 2])
def test_an_input_that_is_not_there_is_refused(index: int) -> None:
    with pytest.raises(SighashError, match="index"):
        TaprootSighash(TRANSACTION, PREVOUTS).digest(index)
    with pytest.raises(SighashError, match="index"):
        SegwitV0Sighash(TRANSACTION).digest(index, b"\x51", 1)


def test_prevouts_are_given_for_every_input() -> None:
    with pytest.raises(SighashError, match="one an input"):
        TaprootSighash(TRANSACTION, PREVOUTS[:1])


def test_a_leaf_hash_of_another_length_and_an_impossible_amount_are_refused() -> None:
    with pytest.raises(SighashError, match="leaf hash"):
        TaprootSighash(TRANSACTION, PREVOUTS).digest(0, leaf_hash=bytes(31))
    with pytest.raises(BitcoinError, match="amount_sat"):
        SegwitV0Sighash(TRANSACTION).digest(0, b"\x51", -1)


def test_a_code_separator_outside_its_width_is_refused() -> None:
    with pytest.raises(SighashError, match="code separator"):
        TaprootSighash(TRANSACTION, PREVOUTS).digest(0, leaf_hash=bytes(32), code_separator=2**32)


def test_the_script_code_of_a_key_hash_is_the_old_output_script() -> None:
    assert key_hash_code(bytes(20)).hex() == "76a914" + "00" * 20 + "88ac"


def test_the_default_type_adds_no_byte_to_a_signature() -> None:
    assert SighashType.DEFAULT.suffix == b""
    assert SighashType.SINGLE_ANYONE_CAN_PAY.suffix == b"\x83"
