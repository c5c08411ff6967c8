"""From a draft to a transaction that Core's engine accepts: every role, both versions."""

from dataclasses import replace

import pytest

from shared.bitcoin.errors import PsbtError
from shared.bitcoin.psbt import (
    InputDescription,
    SchnorrRequest,
    combine,
    create,
    describe_input,
    extract,
    finalise,
    set_spent,
    sign,
    spent_outputs,
    to_version_0,
    to_version_2,
)
from shared.bitcoin.script import p2sh, p2tr, p2wpkh, p2wsh
from shared.bitcoin.taproot import Leaf, TaprootOutput
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.integration.shared.bitcoin.psbt.parties import (
    AMOUNT_SAT,
    KEYS,
    LEAVES,
    ORIGIN,
    PAYEE,
    TREE,
    TWO_OF_THREE,
    Holder,
    LeafKey,
    carried,
    engine_accepts,
    key_input,
    multisig_input,
    ready,
    taproot_description,
    taproot_input,
)

BOTH_VERSIONS = pytest.mark.parametrize("version", [0, 2])


@BOTH_VERSIONS
def test_a_key_hash_is_spent(version: int) -> None:
    psbt = carried(sign(key_input(version), Holder(KEYS[:1])))
    final = carried(finalise(psbt, {}))
    spending = extract(final)
    assert engine_accepts(spending, spent_outputs(psbt))
    assert spending.txid == psbt.unsigned.txid
    assert spending.lock_time == 500
    assert not final.inputs[0].partial_signatures
    assert not final.inputs[0].derivations


@BOTH_VERSIONS
def test_a_nested_key_hash_is_spent(version: int) -> None:
    program = p2wpkh(KEYS[0].public_key)
    derivations = {KEYS[0].public_key: ORIGIN}
    known = InputDescription(redeem_script=program, derivations=derivations)
    psbt = sign(ready(p2sh(program), known, version), Holder(KEYS))
    spending = extract(carried(finalise(carried(psbt), {})))
    assert spending.inputs[0].script_sig == b"\x16" + program
    assert engine_accepts(spending, spent_outputs(psbt))


@BOTH_VERSIONS
def test_two_of_three_sign_apart_and_are_combined(version: int) -> None:
    psbt = multisig_input(TWO_OF_THREE, version)
    apart = [carried(sign(psbt, Holder([key]))) for key in KEYS[1:3]]
    combined = carried(combine([psbt, *apart]))
    assert set(combined.inputs[0].partial_signatures) == {key.public_key for key in KEYS[1:3]}
    spending = extract(finalise(combined, {0: TWO_OF_THREE}))
    assert engine_accepts(spending, spent_outputs(psbt))
    with pytest.raises(PsbtError, match="not satisfied"):
        finalise(apart[0], {0: TWO_OF_THREE})


@BOTH_VERSIONS
@pytest.mark.parametrize("tree", [None, LEAVES])
@pytest.mark.parametrize("sighash_type", [None, 0, 1])
def test_taproots_key_path_is_spent(
    version: int, tree: tuple[Leaf, Leaf] | None, sighash_type: int | None
) -> None:
    output = TaprootOutput(KEYS[0].x_only, tree)
    psbt = taproot_input(output, (), version, sighash_type)
    signed = carried(sign(psbt, Holder(KEYS[:1])))
    assert len(signed.inputs[0].tap_key_signature or b"") == (65 if sighash_type == 1 else 64)
    assert engine_accepts(extract(finalise(signed, {})), spent_outputs(psbt))


@BOTH_VERSIONS
@pytest.mark.parametrize("leaf", [0, 1])
def test_a_leaf_is_spent(version: int, leaf: int) -> None:
    psbt = taproot_input(TREE, KEYS[1:3], version)
    signed = carried(sign(psbt, Holder([KEYS[1 + leaf]])))
    assert len(signed.inputs[0].tap_script_signatures) == 1
    spending = extract(finalise(signed, {0: LeafKey(TREE, LEAVES[leaf])}))
    assert engine_accepts(spending, spent_outputs(psbt))
    with pytest.raises(PsbtError, match="not satisfied"):
        finalise(signed, {0: LeafKey(TREE, LEAVES[1 - leaf])})


def test_inputs_of_all_kinds_are_spent_together() -> None:
    scripts = (p2wpkh(KEYS[0].public_key), p2wsh(TWO_OF_THREE.script), p2tr(TREE.output_key))
    outputs = tuple(TxOut(AMOUNT_SAT + at, one) for at, one in enumerate(scripts))
    previous = Transaction(2, (TxIn(OutPoint(bytes([9] * 32), 1)),), outputs)
    spends = tuple(TxIn(previous.outpoint(at)) for at in range(3))
    psbt = create(Transaction(2, spends, (TxOut(250_000, PAYEE),)))
    for at, output in enumerate(outputs):
        psbt = set_spent(psbt, at, output, previous if at < 2 else None)
    keys = dict.fromkeys(TWO_OF_THREE.public_keys, ORIGIN)
    described = (
        InputDescription(derivations={KEYS[0].public_key: ORIGIN}),
        InputDescription(witness_script=TWO_OF_THREE.script, derivations=keys),
        taproot_description(TREE, KEYS[1:3]),
    )
    for at, known in enumerate(described):
        psbt = describe_input(psbt, at, known)
    signed = carried(sign(carried(psbt), Holder(KEYS[:2])))
    assert [len(one.partial_signatures) for one in signed.inputs] == [1, 2, 0]
    assert signed.inputs[2].tap_key_signature is not None
    spending = extract(finalise(signed, {1: TWO_OF_THREE}))
    assert engine_accepts(spending, outputs)


def test_a_signature_survives_conversion_between_versions() -> None:
    psbt = to_version_0(sign(to_version_2(key_input(0)), Holder(KEYS)))
    assert engine_accepts(extract(finalise(carried(psbt), {})), spent_outputs(psbt))


def test_signing_closes_the_transaction() -> None:
    psbt = replace(key_input(), modifiable=7)
    assert sign(psbt, Holder(KEYS[3:])).modifiable == 7
    assert sign(psbt, Holder(KEYS[:1])).modifiable == 4


def test_a_signer_is_told_whose_key_signs_what() -> None:
    holder = Holder([])
    sign(taproot_input(TREE, KEYS[1:3]), holder)
    requests = [one for one in holder.asked if isinstance(one, SchnorrRequest)]
    asked = {(one.leaf_hash, one.tweak is None) for one in requests if one.origin == ORIGIN}
    assert asked == {(None, False), (LEAVES[0].hash, True), (LEAVES[1].hash, True)}
    assert len({one.digest for one in requests}) == 3
