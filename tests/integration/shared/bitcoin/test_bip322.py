"""BIP322: the vectors, what must not verify, and three kinds of address signing for themselves."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from btclib.key import PrvKeyData
from btclib_wallet import bip322 as oracle

from shared.bitcoin import address
from shared.bitcoin.bip322 import (
    MESSAGE_KEY,
    MessageSignatureError,
    State,
    draft,
    encode_full,
    encode_proof_of_funds,
    encode_simple,
    message_hash,
    to_sign,
    to_spend,
    verify,
)
from shared.bitcoin.descriptors import Offered, Spend
from shared.bitcoin.keys import CURVE_ORDER, PrivateKey
from shared.bitcoin.networks import Network
from shared.bitcoin.psbt import (
    InputDescription,
    Psbt,
    describe_input,
    finalise,
    from_base64,
    set_spent,
    sign,
)
from shared.bitcoin.script import p2pkh, p2tr, p2wpkh, p2wsh
from shared.bitcoin.taproot import TaprootOutput
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut, display
from tests.integration.shared.bitcoin.psbt.parties import (
    KEYS,
    ORIGIN,
    Holder,
    LeafKey,
    Multisig,
    carried,
    checksig,
    engine_accepts,
    taproot_description,
)

MESSAGE = "Zahlung freigegeben — 1.5 BTC".encode()
TWO_OF_THREE = Multisig(2, tuple(key.public_key for key in KEYS[:3]))
LEAF = checksig(KEYS[1])
TREE = TaprootOutput(KEYS[0].x_only, LEAF)


class Engine:
    """Core's, all inputs at once."""

    def is_satisfied(self, transaction: Transaction, spent: tuple[TxOut, ...], at: int) -> bool:
        del at
        return engine_accepts(transaction, spent)


@pytest.fixture(name="vectors")
def vectors_of_bip322(shared_data: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((shared_data / "vectors" / "bip322_basic.json").read_text())
    return read


def script_of(case: dict[str, Any]) -> bytes:
    return address.decode(case["address"], Network.MAINNET)


def test_the_two_transactions_are_the_vectors(vectors: dict[str, Any]) -> None:
    for case in vectors["tx_hashes"]:
        message, script = case["message"].encode(), script_of(case)
        assert message_hash(message).hex() == case["message_hash"]
        assert to_spend(message, script).hex == case["to_spend_tx_hash"]
        assert to_sign(message, script).hex == case["to_sign_tx_hash"]


def test_the_vectors_signatures_are_valid(vectors: dict[str, Any]) -> None:
    for case in vectors["simple"]:
        for signature in case["bip322_signatures"]:
            verdict = verify(script_of(case), case["message"].encode(), signature, Engine())
            assert (verdict.state, verdict.reason) == (State.VALID, "satisfied")


def test_the_vectors_ecdsa_keys_make_their_signatures(vectors: dict[str, Any]) -> None:
    """BIP340's depend on random bytes; ECDSA's on none, as RFC 6979 has it."""
    for case in vectors["simple"]:
        if case["type"] == "p2tr":
            continue
        keys = tuple(PrivateKey.of_wif(one, Network.MAINNET) for one in case["private_keys"])
        public = tuple(key.public_key for key in keys)
        multisig = Multisig(3, public) if case["witness_script"] else None
        known = InputDescription(
            witness_script=multisig.script if multisig else None,
            derivations=dict.fromkeys(public, ORIGIN),
        )
        way = Way(script_of(case), known, multisig, keys)
        assert encode_simple(way.signed(case["message"].encode())) in case["bip322_signatures"]


def test_the_vectors_of_errors_are_not_valid(vectors: dict[str, Any]) -> None:
    for case in vectors["error"]:
        try:
            verdict = verify(script_of(case), case["message"].encode(), case["signature"], Engine())
        except MessageSignatureError:
            continue
        assert verdict.state is State.INVALID, case["description"]


@dataclass(frozen=True)
class Way:
    """An address that signs, and how."""

    script: bytes
    known: InputDescription
    satisfier: Multisig | LeafKey | None = None
    keys: tuple[PrivateKey, ...] = KEYS[:2]

    def signed(self, message: bytes = MESSAGE, base: Transaction | None = None) -> Psbt:
        psbt = describe_input(draft(message, self.script, base), 0, self.known)
        satisfiers = {} if self.satisfier is None else {0: self.satisfier}
        return finalise(carried(sign(carried(psbt), Holder(self.keys))), satisfiers)


WAYS = {
    "P2WPKH": Way(
        p2wpkh(KEYS[0].public_key), InputDescription(derivations={KEYS[0].public_key: ORIGIN})
    ),
    "P2WSH": Way(
        p2wsh(TWO_OF_THREE.script),
        InputDescription(
            witness_script=TWO_OF_THREE.script,
            derivations=dict.fromkeys(TWO_OF_THREE.public_keys, ORIGIN),
        ),
        TWO_OF_THREE,
    ),
    "P2TR": Way(p2tr(TREE.output_key), taproot_description(TREE)),
    "P2TR leaf": Way(
        p2tr(TREE.output_key), taproot_description(TREE, KEYS[1:2]), LeafKey(TREE, LEAF)
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_what_is_signed_here_is_valid_here_and_by_the_oracle(name: str) -> None:
    way = WAYS[name]
    final = way.signed()
    for signature in (encode_simple(final), encode_full(final)):
        assert verify(way.script, MESSAGE, signature, Engine()).state is State.VALID
        text = address.encode(way.script, Network.MAINNET)
        assert oracle.verify(MESSAGE, text, signature)


@pytest.mark.parametrize("make", [p2wpkh, lambda key: p2tr(TaprootOutput(key[1:]).output_key)])
def test_what_the_oracle_signs_is_valid_here(make: Callable[[bytes], bytes]) -> None:
    script = make(KEYS[3].public_key)
    text = address.encode(script, Network.MAINNET)
    key = PrvKeyData(int.from_bytes(KEYS[3].reveal(), "big"))
    signature = oracle.sign(MESSAGE, key, text)
    assert verify(script, MESSAGE, signature.b64encode()).state is State.VALID


@pytest.mark.parametrize("name", WAYS)
def test_a_signature_holds_for_its_message_and_address_only(name: str) -> None:
    way = WAYS[name]
    final = way.signed()
    other = p2wpkh(KEYS[5].public_key)
    for signature in (encode_simple(final), encode_full(final)):
        assert verify(way.script, MESSAGE + b" ", signature, Engine()).state is State.INVALID
        assert verify(other, MESSAGE, signature, Engine()).state is State.INVALID


def test_scripts_without_an_engine_are_inconclusive_and_keys_are_not() -> None:
    states = {
        name: verify(way.script, MESSAGE, encode_simple(way.signed())).state
        for name, way in WAYS.items()
    }
    assert states == {
        "P2WPKH": State.VALID,
        "P2WSH": State.INCONCLUSIVE,
        "P2TR": State.VALID,
        "P2TR leaf": State.INCONCLUSIVE,
    }


def base_with(way: Way, *, version: int = 0, lock_time: int = 0, sequence: int = 0) -> Transaction:
    plain = to_sign(MESSAGE, way.script)
    spending = replace(plain.inputs[0], sequence=sequence)
    return Transaction(version, (spending,), plain.outputs, lock_time)


def test_a_full_signature_may_be_valid_later_only() -> None:
    way = WAYS["P2WPKH"]
    final = way.signed(base=base_with(way, version=2, lock_time=900_000, sequence=144))
    verdict = verify(way.script, MESSAGE, encode_full(final))
    assert (verdict.state, verdict.lock_time, verdict.sequence) == (State.VALID, 900_000, 144)
    with pytest.raises(MessageSignatureError, match="not simple"):
        encode_simple(final)


def test_versions_without_meaning_are_inconclusive() -> None:
    way = WAYS["P2WPKH"]
    final = way.signed(base=base_with(way, version=3))
    assert verify(way.script, MESSAGE, encode_full(final)).state is State.INCONCLUSIVE


def test_another_output_is_invalid() -> None:
    way = WAYS["P2WPKH"]
    paying = replace_outputs(to_sign(MESSAGE, way.script), (TxOut(1, b"\x6a"),))
    text = "ful" + base64.b64encode(paying.serialise()).decode()
    assert verify(way.script, MESSAGE, text).state is State.INVALID
    with pytest.raises(MessageSignatureError, match="other outputs"):
        draft(MESSAGE, way.script, paying)


def replace_outputs(base: Transaction, outputs: tuple[TxOut, ...]) -> Transaction:
    return Transaction(base.version, base.inputs, outputs, base.lock_time)


def with_witness(way: Way, *witness: bytes) -> str:
    signed = to_sign(MESSAGE, way.script).with_witnesses([witness])
    return "ful" + base64.b64encode(signed.serialise()).decode()


def test_signatures_must_be_of_type_all_and_low_s() -> None:
    way = WAYS["P2WPKH"]
    signature, key = way.signed().inputs[0].final_witness or ()
    assert verify(way.script, MESSAGE, with_witness(way, signature, key)).state is State.VALID
    for changed in (signature[:-1] + b"\x02", high_s(signature), signature[:-1], b""):
        verdict = verify(way.script, MESSAGE, with_witness(way, changed, key))
        assert verdict.state is State.INVALID
    multisig = WAYS["P2WSH"]
    dummy, *signatures, script = multisig.signed().inputs[0].final_witness or ()
    for changed in (signatures[0][:-1] + b"\x81", high_s(signatures[0])):
        text = with_witness(multisig, dummy, changed, signatures[1], script)
        assert "type ALL" in verify(multisig.script, MESSAGE, text, Engine()).reason
    leaf = WAYS["P2TR leaf"]
    schnorr, script, control = leaf.signed().inputs[0].final_witness or ()
    text = with_witness(leaf, schnorr + b"\x03", script, control)
    assert "type ALL" in verify(leaf.script, MESSAGE, text, Engine()).reason
    single = with_witness(WAYS["P2TR"], schnorr + b"\x03")
    assert verify(WAYS["P2TR"].script, MESSAGE, single).state is State.INVALID


def high_s(signature: bytes) -> bytes:
    """The same signature with the other s, which consensus accepts."""
    length_r = signature[3]
    r = signature[2 : 4 + length_r]
    s = CURVE_ORDER - int.from_bytes(signature[6 + length_r : -1], "big")
    body = r + b"\x02\x21\x00" + s.to_bytes(32, "big")
    return b"\x30" + bytes([len(body)]) + body + b"\x01"


@dataclass(frozen=True)
class Script:
    """Any witness script, satisfied by one element."""

    script: bytes

    def satisfaction(self, offered: Offered) -> Spend | None:
        del offered
        return Spend(b"", (b"\x01", self.script))


@pytest.mark.parametrize(
    ("script", "state"),
    [
        (b"\x51\x87", State.VALID),
        (b"\xab\x51\x87", State.INVALID),
        (b"\xb3\x51\x87", State.INCONCLUSIVE),
        (b"\x52\x87", State.INVALID),
    ],
)
def test_scripts_are_held_to_the_bips_rules(script: bytes, state: State) -> None:
    known = InputDescription(witness_script=script)
    way = Way(p2wsh(script), known, None)
    final = finalise(describe_input(draft(MESSAGE, way.script), 0, known), {0: Script(script)})
    assert verify(way.script, MESSAGE, encode_simple(final), Engine()).state is state


def test_addresses_of_other_kinds_are_inconclusive() -> None:
    for script in (p2pkh(KEYS[0].public_key), b"\x52\x20" + bytes(32)):
        verdict = verify(script, MESSAGE, "smpAQA=", Engine())
        assert verdict.state is State.INCONCLUSIVE


def proof(claimed: TxOut) -> str:
    """A proof of funds over one more output, of the same key."""
    way = WAYS["P2WPKH"]
    previous = Transaction(2, (TxIn(OutPoint(bytes([7] * 32), 0)),), (claimed,))
    plain = to_sign(MESSAGE, way.script)
    inputs = (*plain.inputs, TxIn(previous.outpoint(0), b"", 0))
    psbt = draft(MESSAGE, way.script, Transaction(0, inputs, plain.outputs))
    psbt = set_spent(psbt, 1, claimed, previous)
    for at in range(2):
        psbt = describe_input(psbt, at, way.known)
    return encode_proof_of_funds(finalise(sign(carried(psbt), Holder(KEYS)), {}))


def test_a_draft_with_further_inputs_is_a_proof_of_funds_only() -> None:
    signature = proof(TxOut(5, WAYS["P2WPKH"].script))
    psbt = from_base64(signature.removeprefix("pof"))
    for encode in (encode_simple, encode_full):
        with pytest.raises(MessageSignatureError):
            encode(psbt)


def test_a_proof_of_funds_names_what_it_claims() -> None:
    way = WAYS["P2WPKH"]
    claimed = TxOut(123_456, way.script)
    signature = proof(claimed)
    verdict = verify(way.script, MESSAGE, signature)
    assert verdict.state is State.VALID
    ((outpoint, output),) = verdict.funds
    assert output == claimed
    assert oracle.verify(MESSAGE, address.encode(way.script, Network.MAINNET), signature)
    assert len(display(outpoint.txid)) == 64
    assert verify(way.script, b"another", signature).state is State.INVALID


def test_the_message_travels_with_the_draft() -> None:
    way = WAYS["P2TR"]
    assert carried(draft(MESSAGE, way.script)).others == {MESSAGE_KEY: MESSAGE}


@pytest.mark.parametrize(
    "text", ["", "smp", "smp!!!!", "fulAAAA", "pofcHNidP8=", "smpAUDA", "smpAQB=", "x" * 2_000_000]
)
def test_what_encodes_no_signature_is_refused(text: str) -> None:
    with pytest.raises(MessageSignatureError):
        verify(WAYS["P2TR"].script, MESSAGE, text)


def test_full_signatures_of_more_inputs_need_their_outputs() -> None:
    way = WAYS["P2WPKH"]
    plain = to_sign(MESSAGE, way.script)
    more = Transaction(
        0, (*plain.inputs, TxIn(OutPoint(bytes([7] * 32), 0))), plain.outputs
    ).with_witnesses([(b"\x01",), ()])
    text = "ful" + base64.b64encode(more.serialise()).decode()
    assert verify(way.script, MESSAGE, text).state is State.INCONCLUSIVE


def test_an_annex_is_refused() -> None:
    way = WAYS["P2TR leaf"]
    schnorr, script, control = way.signed().inputs[0].final_witness or ()
    text = with_witness(way, schnorr, script, control, b"\x50")
    assert "annex" in verify(way.script, MESSAGE, text, Engine()).reason
