"""What a role refuses: unproven outputs, foreign scripts, other sighash types, contradictions."""

from dataclasses import replace

import pytest
from coincurve import PublicKey

from shared.bitcoin.errors import BitcoinError, PsbtError
from shared.bitcoin.psbt import (
    InputDescription,
    OutputDescription,
    Psbt,
    TreeLeaf,
    check_signatures,
    combine,
    create,
    describe_input,
    describe_output,
    extract,
    finalise,
    set_spent,
    sign,
    to_version_0,
)
from shared.bitcoin.script import p2pkh, p2sh, p2tr, p2wpkh, p2wsh
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
    Multisig,
    carried,
    checksig,
    funded,
    key_input,
    multisig_input,
    ready,
    taproot_description,
    taproot_input,
)

BOTH_VERSIONS = pytest.mark.parametrize("version", [0, 2])


def signed_by_all(psbt: Psbt) -> Psbt:
    return sign(psbt, Holder(KEYS))


def finalised(psbt: Psbt) -> Psbt:
    return finalise(psbt, {})


def test_segwit_v0_is_not_signed_without_its_previous_transaction() -> None:
    psbt, previous = funded(p2wpkh(KEYS[0].public_key))
    with pytest.raises(PsbtError) as refused:
        set_spent(psbt, 0, previous.outputs[-1], None)
    assert refused.value.field == "inputs[0].PSBT_IN_NON_WITNESS_UTXO"
    bare = key_input()
    bare = replace(bare, inputs=(replace(bare.inputs[0], previous_transaction=None),))
    for role in (signed_by_all, finalised):
        with pytest.raises(PsbtError, match="the previous transaction"):
            role(bare)


def test_taproot_is_not_signed_while_another_input_is_unproven() -> None:
    output = TxOut(AMOUNT_SAT, p2tr(TREE.output_key))
    previous = Transaction(2, (TxIn(OutPoint(bytes([9] * 32), 1)),), (output, output))
    spends = tuple(TxIn(previous.outpoint(at)) for at in range(2))
    psbt = create(Transaction(2, spends, (TxOut(1_000, PAYEE),)))
    psbt = describe_input(set_spent(psbt, 0, output, None), 0, taproot_description(TREE))
    with pytest.raises(PsbtError) as refused:
        sign(psbt, Holder(KEYS))
    assert refused.value.field == "inputs[1].PSBT_IN_WITNESS_UTXO"


def test_another_previous_transaction_or_amount_is_refused() -> None:
    psbt, previous = funded(p2wpkh(KEYS[0].public_key))
    _, other = funded(p2wpkh(KEYS[1].public_key))
    with pytest.raises(PsbtError, match="which is spent"):
        set_spent(psbt, 0, None, other)
    lied = TxOut(AMOUNT_SAT - 1, previous.outputs[-1].script_pubkey)
    with pytest.raises(PsbtError, match="another amount"):
        set_spent(psbt, 0, lied, previous)
    with pytest.raises(PsbtError, match="no such input"):
        set_spent(psbt, 1, None, previous)


@pytest.mark.parametrize("sighash_type", [2, 3, 0x81, 0x82, 0x83, 0x41])
def test_other_sighash_types_are_neither_described_signed_nor_finalised(sighash_type: int) -> None:
    for psbt in (key_input(), taproot_input(TREE)):
        known = InputDescription(sighash_type=sighash_type)
        with pytest.raises(PsbtError, match="PSBT_IN_SIGHASH_TYPE"):
            describe_input(psbt, 0, known)
        signed = sign(psbt, Holder(KEYS))
        changed = replace(signed.inputs[0], sighash_type=sighash_type)
        for role in (signed_by_all, finalised):
            with pytest.raises(PsbtError, match="PSBT_IN_SIGHASH_TYPE"):
                role(replace(signed, inputs=(changed,)))


def test_default_is_no_type_of_ecdsa() -> None:
    with pytest.raises(PsbtError, match=r"ALL \(0x01\)"):
        describe_input(key_input(), 0, InputDescription(sighash_type=0))


def test_a_signature_of_another_type_is_not_finalised() -> None:
    signed = sign(key_input(), Holder(KEYS))
    ((key, signature),) = signed.inputs[0].partial_signatures.items()
    changed = replace(signed.inputs[0], partial_signatures={key: signature[:-1] + b"\x03"})
    with pytest.raises(PsbtError, match="another sighash type"):
        finalise(replace(signed, inputs=(changed,)), {})
    taproot = sign(taproot_input(TREE), Holder(KEYS))
    longer = (taproot.inputs[0].tap_key_signature or b"") + b"\x01"
    changed = replace(taproot.inputs[0], tap_key_signature=longer)
    with pytest.raises(PsbtError, match="another sighash type"):
        finalise(replace(taproot, inputs=(changed,)), {})


class Forger(Holder):
    """Gives valid signatures over something else."""

    def sign_ecdsa(self, request: object) -> bytes | None:
        return self.keys[0].sign_ecdsa(bytes(32))

    def sign_schnorr(self, request: object) -> bytes | None:
        return self.keys[0].sign_schnorr(bytes(32), bytes(32))


def test_a_signature_that_does_not_verify_is_not_taken() -> None:
    for psbt in (key_input(), taproot_input(TREE)):
        with pytest.raises(PsbtError, match="does not verify"):
            sign(psbt, Forger(KEYS))


def test_scripts_and_keys_of_another_output_are_refused() -> None:
    wsh = multisig_input(TWO_OF_THREE)
    other = Multisig(1, TWO_OF_THREE.public_keys)
    with pytest.raises(PsbtError, match="WITNESS_SCRIPT: another script"):
        describe_input(wsh, 0, InputDescription(witness_script=other.script))
    bare = replace(wsh, inputs=(replace(wsh.inputs[0], witness_script=None),))
    with pytest.raises(PsbtError, match="WITNESS_SCRIPT: missing"):
        sign(bare, Holder(KEYS))
    foreign = TaprootOutput(KEYS[3].x_only, LEAVES)
    with pytest.raises(PsbtError, match="PSBT_IN_TAP_INTERNAL_KEY"):
        taproot_input_as(TREE, foreign)
    stranger = TaprootOutput(KEYS[0].x_only, (LEAVES[0], checksig(KEYS[4])))
    known = replace(taproot_description(stranger), tap_internal_key=None)
    with pytest.raises(PsbtError, match="PSBT_IN_TAP_LEAF_SCRIPT"):
        ready(p2tr(TREE.output_key), known)


def taproot_input_as(real: TaprootOutput, told: TaprootOutput) -> Psbt:
    return ready(p2tr(real.output_key), taproot_description(told))


def test_a_nested_input_needs_its_own_redeem_script() -> None:
    program = p2wpkh(KEYS[0].public_key)
    psbt, previous = funded(p2sh(program))
    psbt = set_spent(psbt, 0, None, previous)
    with pytest.raises(PsbtError, match="REDEEM_SCRIPT: missing"):
        describe_input(psbt, 0, InputDescription())
    with pytest.raises(PsbtError, match="REDEEM_SCRIPT: another"):
        describe_input(psbt, 0, InputDescription(redeem_script=p2wpkh(KEYS[1].public_key)))


def test_legacy_inputs_are_not_signed() -> None:
    psbt, previous = funded(p2pkh(KEYS[0].public_key))
    psbt = set_spent(psbt, 0, None, previous)
    for role in (signed_by_all, finalised):
        with pytest.raises(PsbtError, match="public key hash"):
            role(psbt)


def test_leaf_versions_without_meaning_are_not_signed() -> None:
    output = TaprootOutput(KEYS[0].x_only, Leaf(LEAVES[0].script, 0xC2))
    with pytest.raises(BitcoinError, match="leaf version"):
        sign(taproot_input(output, KEYS[1:2]), Holder(KEYS[1:2]))


def test_outputs_are_described_by_what_they_commit_to() -> None:
    psbt = create(
        Transaction(
            2,
            (TxIn(OutPoint(bytes([7] * 32), 0)),),
            (TxOut(5, p2tr(TREE.output_key)), TxOut(6, p2wsh(TWO_OF_THREE.script))),
        )
    )
    tree = tuple(TreeLeaf(1, leaf.version, leaf.script) for leaf in LEAVES)
    known = OutputDescription(tap_internal_key=TREE.internal_key, tap_tree=tree)
    psbt = describe_output(psbt, 0, known)
    psbt = describe_output(psbt, 1, OutputDescription(witness_script=TWO_OF_THREE.script))
    assert carried(psbt) == psbt
    for wrong in (
        OutputDescription(tap_internal_key=KEYS[5].x_only),
        OutputDescription(tap_tree=tree[:1]),
        OutputDescription(tap_tree=(replace(tree[0], script=b"\x51"), tree[1])),
        OutputDescription(witness_script=TWO_OF_THREE.script),
        OutputDescription(redeem_script=b"\x51"),
    ):
        with pytest.raises(PsbtError):
            describe_output(psbt, 0, wrong)
    with pytest.raises(PsbtError, match="no such output"):
        describe_output(psbt, 2, known)


def test_only_psbts_of_one_transaction_are_combined() -> None:
    psbt = key_input()
    other = replace(psbt, fallback_lock_time=501)
    for wrong in (
        other,
        to_version_0(psbt),
        replace(psbt, outputs=(replace(psbt.outputs[0], amount_sat=1),)),
        replace(psbt, inputs=(replace(psbt.inputs[0], sequence=3),)),
    ):
        with pytest.raises(PsbtError):
            combine([psbt, wrong])
    with pytest.raises(PsbtError, match="at least one"):
        combine([])


def test_contradicting_records_are_named_and_not_combined() -> None:
    psbt = key_input()
    key = KEYS[0].public_key
    signatures = [KEYS[0].sign_ecdsa(bytes([byte] * 32)) + b"\x01" for byte in (1, 2)]
    apart = [
        replace(psbt, inputs=(replace(psbt.inputs[0], partial_signatures={key: one}),))
        for one in signatures
    ]
    with pytest.raises(PsbtError, match="differs") as refused:
        combine(apart)
    assert refused.value.field.startswith("inputs[0].PSBT_IN_PARTIAL_SIG(0279be66")
    assert combine([apart[0], apart[0], psbt]) == apart[0]


def test_combining_keeps_what_any_side_closed() -> None:
    psbt = key_input()
    sides = [replace(psbt, modifiable=flags) for flags in (7, 1)]
    assert combine(sides).modifiable == 5
    assert combine([psbt, sides[0]]).modifiable is None


def test_what_is_not_final_is_not_extracted_and_what_is_final_not_changed() -> None:
    psbt = sign(key_input(), Holder(KEYS))
    with pytest.raises(PsbtError, match="not final"):
        extract(psbt)
    final = finalise(psbt, {})
    assert sign(final, Holder(KEYS)) == finalise(final, {}) == final
    with pytest.raises(PsbtError, match="final"):
        describe_input(final, 0, InputDescription())


def test_missing_signatures_are_named() -> None:
    with pytest.raises(PsbtError, match="PSBT_IN_PARTIAL_SIG: missing"):
        finalise(key_input(), {})
    with pytest.raises(PsbtError, match="PSBT_IN_TAP_KEY_SIG: missing"):
        finalise(taproot_input(TREE), {})
    with pytest.raises(PsbtError, match="a satisfier"):
        finalise(multisig_input(TWO_OF_THREE), {})


def test_signatures_of_others_are_verified_and_the_wrong_one_is_named() -> None:
    for psbt in (key_input(), multisig_input(TWO_OF_THREE), taproot_input(TREE, KEYS[1:3])):
        signed = sign(psbt, Holder(KEYS))
        check_signatures(psbt)
        check_signatures(signed)
        with pytest.raises(PsbtError, match="does not verify"):
            check_signatures(replace(signed, fallback_lock_time=501))
    key, signed = KEYS[1].public_key, sign(multisig_input(TWO_OF_THREE), Holder(KEYS))
    held = dict(signed.inputs[0].partial_signatures)
    for wrong in (held[KEYS[0].public_key], held[key][:-1] + b"\x03"):
        changed = replace(signed.inputs[0], partial_signatures={**held, key: wrong})
        with pytest.raises(PsbtError) as refused:
            check_signatures(replace(signed, inputs=(changed,)))
        assert refused.value.field == f"inputs[0].PSBT_IN_PARTIAL_SIG({key.hex()})"


def test_wrong_taproot_signatures_are_named() -> None:
    signed = sign(taproot_input(TREE, KEYS[1:3]), Holder(KEYS))
    one = signed.inputs[0]
    other = one.tap_key_signature or b""
    swapped = dict.fromkeys(one.tap_script_signatures, other)
    for changed, name in (
        (replace(one, tap_script_signatures=swapped), "PSBT_IN_TAP_SCRIPT_SIG"),
        (replace(one, tap_key_signature=other + b"\x01"), "PSBT_IN_TAP_KEY_SIG"),
        (replace(one, tap_leaf_scripts={}), "PSBT_IN_TAP_LEAF_SCRIPT"),
    ):
        with pytest.raises(PsbtError, match=name):
            check_signatures(replace(signed, inputs=(changed,)))


def test_a_draft_that_is_signed_already_is_refused() -> None:
    signed = extract(finalise(sign(key_input(), Holder(KEYS)), {}))
    with pytest.raises(PsbtError, match="already signed"):
        create(signed)


def test_what_is_signed_is_not_asked_for_again() -> None:
    for psbt in (key_input(), taproot_input(TREE, KEYS[1:3])):
        signed, again = sign(psbt, Holder(KEYS)), Holder(KEYS)
        assert sign(signed, again) == signed
        assert len(again.asked) == 0


def test_keys_that_the_script_does_not_name_are_not_asked_for() -> None:
    uncompressed = PublicKey(KEYS[0].public_key).format(compressed=False)
    foreign = {KEYS[5].public_key: ORIGIN, uncompressed: ORIGIN}
    holder = Holder(KEYS)
    sign(ready(p2wpkh(KEYS[0].public_key), InputDescription(derivations=foreign)), holder)
    assert holder.asked == []


def test_final_inputs_have_no_signatures_to_verify_and_uncompressed_keys_none_that_count() -> None:
    signed = sign(key_input(), Holder(KEYS))
    check_signatures(finalise(signed, {}))
    uncompressed = PublicKey(KEYS[0].public_key).format(compressed=False)
    (signature,) = signed.inputs[0].partial_signatures.values()
    changed = replace(signed.inputs[0], partial_signatures={uncompressed: signature})
    with pytest.raises(PsbtError, match="does not verify"):
        check_signatures(replace(signed, inputs=(changed,)))


@BOTH_VERSIONS
def test_what_several_know_of_outputs_is_combined(version: int) -> None:
    psbt = key_input(version)
    known = {KEYS[1].public_key: ORIGIN}, {KEYS[2].public_key: ORIGIN}
    sides = [replace(psbt, outputs=(replace(psbt.outputs[0], derivations=one),)) for one in known]
    assert combine(sides).outputs[0].derivations == {**known[0], **known[1]}


def test_globals_that_contradict_each_other_are_not_combined() -> None:
    psbt = key_input()
    with pytest.raises(PsbtError, match="differs"):
        combine([replace(psbt, others={b"\xfc\x00": bytes([byte])}) for byte in (1, 2)])
    locked = replace(psbt, inputs=(replace(psbt.inputs[0], required_height=600),))
    with pytest.raises(PsbtError, match="FALLBACK_LOCKTIME"):
        combine([locked, replace(locked, fallback_lock_time=1)])
