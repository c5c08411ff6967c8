"""Digests, taproot outputs and derived keys agree with independent implementations."""

import hypothesis.strategies as st
import pytest
import wallycore
from btclib.script import sig_hash, taproot
from btclib.tx.tx import Tx
from btclib.tx.tx_out import TxOut as OracleTxOut
from btclib_wallet.bip32 import bip32 as oracle_bip32
from hypothesis import assume, given, settings

from shared.bitcoin import script as own_scripts
from shared.bitcoin.bip32 import ExtendedPrivateKey, ExtendedPublicKey, KeyPath
from shared.bitcoin.bip39 import entropy_of, mnemonic_of, seed_of
from shared.bitcoin.errors import SighashError
from shared.bitcoin.keys import PrivateKey, verify_ecdsa, verify_schnorr
from shared.bitcoin.networks import Network
from shared.bitcoin.sighash import SegwitV0Sighash, SighashType, TaprootSighash
from shared.bitcoin.taproot import Leaf, ScriptSpend, TaprootOutput, Tree, read_spend
from shared.bitcoin.transaction import Transaction, TxOut
from tests.property.shared.bitcoin.strategies import (
    leaves,
    leaves_of,
    outputs,
    private_keys,
    scripts,
    trees,
    u32s,
    unsigned_transactions,
)

sighash_types = st.sampled_from(list(SighashType))


@st.composite
def spendings(draw: st.DrawFn) -> tuple[Transaction, tuple[TxOut, ...], int]:
    """A transaction, what its inputs spend, and one input's index."""
    transaction = draw(unsigned_transactions)
    count = len(transaction.inputs)
    prevouts = draw(st.lists(outputs, min_size=count, max_size=count))
    return transaction, tuple(prevouts), draw(st.integers(0, count - 1))


def oracle_transaction(transaction: Transaction) -> Tx:
    return Tx.parse(transaction.serialise(), check_validity=False)


def check_taproot_digest(
    spending: tuple[Transaction, tuple[TxOut, ...], int],
    sighash_type: SighashType,
    leaf: Leaf | None,
    code_separator: int,
) -> None:
    transaction, prevouts, index = spending
    sighash = TaprootSighash(transaction, prevouts)
    leaf_hash = leaf.hash if leaf else None
    if sighash_type & 3 == SighashType.SINGLE and index >= len(transaction.outputs):
        with pytest.raises(SighashError):
            sighash.digest(index, sighash_type, leaf_hash, code_separator)
        return
    extension = leaf_hash + b"\x00" + code_separator.to_bytes(4, "little") if leaf_hash else b""
    expected = sig_hash.taproot(
        oracle_transaction(transaction),
        index,
        [OracleTxOut.parse(one.serialise(), check_validity=False) for one in prevouts],
        int(sighash_type),
        1 if leaf else 0,
        b"",
        extension,
    )
    assert sighash.digest(index, sighash_type, leaf_hash, code_separator) == expected


def check_segwit_digest(
    spending: tuple[Transaction, tuple[TxOut, ...], int], sighash_type: SighashType, code: bytes
) -> None:
    transaction, prevouts, index = spending
    amount_sat = prevouts[index].amount_sat
    digest = SegwitV0Sighash(transaction).digest(index, code, amount_sat, sighash_type)
    expected = sig_hash.segwit_v0(
        code, oracle_transaction(transaction), index, int(sighash_type), amount_sat
    )
    assert digest == expected
    second = wallycore.tx_from_bytes(transaction.serialise(), 0)
    assert digest == bytes(
        wallycore.tx_get_btc_signature_hash(
            second, index, code, amount_sat, int(sighash_type), wallycore.WALLY_TX_FLAG_USE_WITNESS
        )
    )


@given(spendings(), sighash_types, st.none() | leaves, u32s)
def test_a_taproot_digest_is_the_oracles(
    spending: tuple[Transaction, tuple[TxOut, ...], int],
    sighash_type: SighashType,
    leaf: Leaf | None,
    code_separator: int,
) -> None:
    check_taproot_digest(spending, sighash_type, leaf, code_separator)


@pytest.mark.soak
@settings(max_examples=5_000)
@given(spendings(), sighash_types, st.none() | leaves, u32s)
def test_five_thousand_taproot_digests_are_the_oracles(
    spending: tuple[Transaction, tuple[TxOut, ...], int],
    sighash_type: SighashType,
    leaf: Leaf | None,
    code_separator: int,
) -> None:
    check_taproot_digest(spending, sighash_type, leaf, code_separator)


@given(spendings(), sighash_types.filter(bool), scripts.filter(bool))
def test_a_segwit_digest_is_both_oracles(
    spending: tuple[Transaction, tuple[TxOut, ...], int], sighash_type: SighashType, code: bytes
) -> None:
    check_segwit_digest(spending, sighash_type, code)


@pytest.mark.soak
@settings(max_examples=5_000)
@given(spendings(), sighash_types.filter(bool), scripts.filter(bool))
def test_five_thousand_segwit_digests_are_both_oracles(
    spending: tuple[Transaction, tuple[TxOut, ...], int], sighash_type: SighashType, code: bytes
) -> None:
    check_segwit_digest(spending, sighash_type, code)


@given(private_keys, trees)
def test_every_leafs_control_block_opens_the_output_for_the_oracle(
    key: PrivateKey, tree: Tree
) -> None:
    output = TaprootOutput(key.x_only, tree)
    for leaf in leaves_of(tree):
        block = output.control_block(leaf)
        assert taproot.check_output_pubkey(output.output_key, leaf.script, block)
        if leaf.version == 0xC0:
            spend = read_spend([leaf.script, block])
            assert isinstance(spend, ScriptSpend)
            assert spend.commits_to(output.output_key)
    assert output.merkle_root is not None
    expected = taproot.output_pubkey_from_merkle_root_var(key.x_only, output.merkle_root)
    assert (output.output_key, output.parity) == expected


@given(private_keys, st.none() | trees)
def test_the_tweaked_private_key_is_the_oracles_and_signs_for_the_output(
    key: PrivateKey, tree: Tree | None
) -> None:
    output = TaprootOutput(key.x_only, tree)
    tweaked = output.tweaked_private(key)
    secret = int.from_bytes(key.reveal(), "big")
    expected = taproot.output_prvkey_from_merkle_root(secret, output.merkle_root or b"")
    assert int.from_bytes(tweaked.reveal(), "big") == expected
    signature = tweaked.sign_schnorr(bytes(32), bytes(32))
    assert verify_schnorr(output.output_key, bytes(32), signature)


@given(private_keys, st.binary(min_size=32, max_size=32))
def test_signatures_verify_under_their_key_and_digest_alone(key: PrivateKey, digest: bytes) -> None:
    ecdsa, schnorr = key.sign_ecdsa(digest), key.sign_schnorr(digest, digest)
    assert verify_ecdsa(key.public_key, digest, ecdsa)
    assert verify_schnorr(key.x_only, digest, schnorr)
    other = bytes((digest[0] ^ 1,)) + digest[1:]
    assert not verify_ecdsa(key.public_key, other, ecdsa)
    assert not verify_schnorr(key.x_only, other, schnorr)


@given(st.binary(min_size=16, max_size=64), st.lists(u32s, max_size=5))
def test_derived_keys_are_the_oracles(seed: bytes, indices: list[int]) -> None:
    master = ExtendedPrivateKey.of_seed(seed)
    oracle = oracle_bip32.rootxprv_from_seed(seed)
    assert master.serialise(Network.MAINNET) == oracle
    path = KeyPath(tuple(indices))
    key = master.derive(path)
    derived = oracle_bip32.derive(oracle, f"m/{path}" if indices else "m")
    assert key.serialise(Network.MAINNET) == derived
    xpub = oracle_bip32.xpub_from_xprv(derived)
    assert key.public.serialise(Network.MAINNET) == xpub
    assert ExtendedPublicKey.parse(xpub, Network.MAINNET) == key.public
    assert KeyPath.parse(str(path)) == path


@given(st.binary(min_size=16, max_size=64), st.lists(st.integers(0, 2**31 - 1), max_size=4))
def test_public_derivation_leads_where_private_derivation_does(
    seed: bytes, indices: list[int]
) -> None:
    master, path = ExtendedPrivateKey.of_seed(seed), KeyPath(tuple(indices))
    assert master.public.derive(path) == master.derive(path).public


@settings(max_examples=20)
@given(st.sampled_from([16, 20, 24, 28, 32]), st.data(), st.text(max_size=20))
def test_mnemonics_come_back_and_seeds_are_the_oracles(
    length: int, data: st.DataObject, passphrase: str
) -> None:
    entropy = data.draw(st.binary(min_size=length, max_size=length))
    mnemonic = mnemonic_of(entropy)
    assert entropy_of(mnemonic) == entropy
    assume(passphrase.isascii() and "\x00" not in passphrase)
    expected = bytes(wallycore.bip39_mnemonic_to_seed512(mnemonic, passphrase))
    assert seed_of(mnemonic, passphrase) == expected


@given(private_keys)
def test_the_standard_outputs_of_a_key_are_the_oracles(key: PrivateKey) -> None:
    hashed = bytes(wallycore.hash160(key.public_key))
    assert own_scripts.p2wpkh(key.public_key) == b"\x00\x14" + hashed
    taproot_script = TaprootOutput(key.x_only).script_pubkey
    expected, _ = taproot.output_pubkey_from_merkle_root_var(key.x_only, b"")
    assert taproot_script == b"\x51\x20" + expected
