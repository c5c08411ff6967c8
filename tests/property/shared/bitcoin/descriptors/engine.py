"""Spends a descriptor's outputs by every path, from its keys' origins, on Core's engine."""

from collections.abc import Iterator
from dataclasses import replace

from shared.bitcoin import taproot
from shared.bitcoin.descriptors import DerivedOutput, Descriptor, Form, Offered, Spend, SpendingPath
from shared.bitcoin.hashes import sha256, sha256d
from shared.bitcoin.musig2 import (
    KeyAggregate,
    Session,
    Tweak,
    aggregate_nonces,
    derivation_tweaks,
    generate_nonce,
)
from shared.bitcoin.script import p2pkh
from shared.bitcoin.sighash import SegwitV0Sighash, SighashType, TaprootSighash
from shared.bitcoin.transaction import Transaction, TxIn, TxOut
from tests.property.shared.bitcoin import spending
from tests.property.shared.bitcoin.descriptors.random_descriptors import (
    PREIMAGE,
    private_key_of,
)
from tests.property.shared.bitcoin.spending import AMOUNT_SAT, Locks

_AUX = bytes(32)


def _musig_signature(output: DerivedOutput, digest: bytes) -> bytes:
    """The participants' signature for the output key, from nothing but the output's own facts."""
    use = output.keys[0]
    assert use.is_internal
    assert use.key.aggregate is not None
    assert output.taproot is not None
    aggregate = use.key.aggregate
    tweak = taproot.tweak(output.taproot.internal_key, output.taproot.merkle_root)
    keys = KeyAggregate(
        [one.public_key for one in aggregate.participants],
        (*derivation_tweaks(aggregate.plain, aggregate.path), Tweak(tweak, x_only=True)),
    )
    assert keys.x_only == output.taproot.output_key
    secrets = [private_key_of(one.origin) for one in aggregate.participants]
    nonces = [
        generate_nonce(bytes([1 + place]) * 32, secret, keys, digest)
        for place, secret in enumerate(secrets)
    ]
    session = Session(keys, aggregate_nonces([one.public_nonce for one in nonces]), digest)
    return session.aggregate(
        [session.partial_sign(one, secret) for one, secret in zip(nonces, secrets, strict=True)]
    )


def key_signature(output: DerivedOutput, unsigned: Transaction) -> bytes:
    """The signature of the output key."""
    digest = TaprootSighash(unsigned, (TxOut(AMOUNT_SAT, output.script_pubkey),)).digest(0)
    internal = output.keys[0].key
    if internal.aggregate is not None:
        return _musig_signature(output, digest)
    assert output.taproot is not None
    key = output.taproot.tweaked_private(private_key_of(internal.origin))
    return key.sign_schnorr(digest, _AUX)


def _legacy_digest(unsigned: Transaction, code: bytes) -> bytes:
    """What a signature of the one input signed before segwit."""
    with_code = Transaction(
        unsigned.version,
        (TxIn(unsigned.inputs[0].outpoint, code, unsigned.inputs[0].sequence),),
        unsigned.outputs,
        unsigned.lock_time,
    )
    return sha256d(with_code.serialise() + SighashType.ALL.to_bytes(4, "little"))


def _ecdsa(output: DerivedOutput, unsigned: Transaction, keys: set[bytes]) -> dict[bytes, bytes]:
    code = output.witness_script or p2pkh(output.key or b"")
    if output.form is Form.PKH:
        digest = _legacy_digest(unsigned, code)
    else:
        digest = SegwitV0Sighash(unsigned).digest(0, code, AMOUNT_SAT)
    return {
        use.key.public_key: private_key_of(use.key.origin).sign_ecdsa(digest)
        + SighashType.ALL.suffix
        for use in output.keys
        if use.key.public_key in keys
    }


def leaf_signatures(
    output: DerivedOutput, unsigned: Transaction, keys: set[bytes]
) -> dict[tuple[bytes, bytes], bytes]:
    """What these keys sign for every leaf that checks them."""
    digests = TaprootSighash(unsigned, (TxOut(AMOUNT_SAT, output.script_pubkey),))
    return {
        (use.key.public_key[1:], leaf_hash): private_key_of(use.key.origin).sign_schnorr(
            digests.digest(0, leaf_hash=leaf_hash), _AUX
        )
        for use in output.keys
        if use.key.public_key in keys
        for leaf_hash in use.leaf_hashes
    }


def _signers(descriptor: Descriptor, output: DerivedOutput, way: SpendingPath) -> set[bytes]:
    """As many keys as the path asks for."""
    by_text = {one.text: one for one in descriptor.key_expressions}
    return {
        by_text[key].public_key(output.branch, output.index)
        for group in way.path.signers
        for key in group.keys[: group.required]
    }


def _unsigned_offer(unsigned: Transaction, way: SpendingPath) -> Offered:
    preimages = {sha256(PREIMAGE): PREIMAGE} if way.path.hashes else {}
    sequence = unsigned.inputs[0].sequence
    return Offered(preimages=preimages, sequence=sequence, lock_time=unsigned.lock_time)


def _signed_offer(
    output: DerivedOutput, unsigned: Transaction, way: SpendingPath, signers: set[bytes]
) -> Offered:
    """What the path needs and nothing else."""
    offer = _unsigned_offer(unsigned, way)
    if output.form is not Form.TR:
        return replace(offer, signatures=_ecdsa(output, unsigned, signers))
    if way.leaf is None:
        return replace(offer, key_signature=key_signature(output, unsigned))
    own = output.scripts[way.leaf].leaf.hash
    found = leaf_signatures(output, unsigned, signers)
    return replace(
        offer, leaf_signatures={place: one for place, one in found.items() if place[1] == own}
    )


def _input_weight(spend: Spend) -> int:
    witness = TxIn(spending.ANY_OUTPOINT, witness=spend.witness).serialise_witness()
    return 4 * (41 + len(spend.script_sig)) + len(witness)


def _accepts(output: DerivedOutput, unsigned: Transaction, spend: Spend) -> bool:
    (only,) = unsigned.inputs
    signed = Transaction(
        unsigned.version,
        (TxIn(only.outpoint, spend.script_sig, only.sequence),),
        unsigned.outputs,
        unsigned.lock_time,
    )
    return spending.accepts(signed, output.script_pubkey, spend.witness)


def _less(offered: Offered) -> Iterator[Offered]:
    """The same with one signature or preimage less, or a block too early."""
    for key in offered.signatures:
        yield replace(
            offered,
            signatures={other: one for other, one in offered.signatures.items() if other != key},
        )
    for place in offered.leaf_signatures:
        yield replace(
            offered,
            leaf_signatures={
                other: one for other, one in offered.leaf_signatures.items() if other != place
            },
        )
    if offered.preimages:
        yield replace(offered, preimages={})
    if offered.key_signature is not None:
        yield replace(offered, key_signature=None)
    if offered.sequence & 0xFFFF and offered.sequence < 1 << 31:
        yield replace(offered, sequence=offered.sequence - 1)
    if offered.lock_time:
        yield replace(offered, lock_time=offered.lock_time - 1)


def spend_every_path(descriptor: Descriptor, branch: int, index: int) -> None:
    """Every path is accepted with what it asks for; with anything less nothing is built."""
    output = descriptor.at(index, branch)
    for way in descriptor.paths:
        unsigned = spending.spend(Locks(way.path.older or 0xFFFFFFFE, way.path.after))
        signers = _signers(descriptor, output, way)
        offered = _signed_offer(output, unsigned, way, signers)
        spend = output.satisfaction(offered)
        assert spend is not None, (descriptor.text, way)
        assert _accepts(output, unsigned, spend), (descriptor.text, way)
        assert (spend.needs_older or 0, spend.needs_after or 0) == (way.path.older, way.path.after)
        planned = output.plan(signers, _unsigned_offer(unsigned, way))
        assert planned is not None
        assert planned.needs_older == spend.needs_older
        assert spend.input_weight == _input_weight(spend)
        assert spend.input_weight <= planned.input_weight <= way.input_weight
        assert way.input_weight <= descriptor.max_input_weight
        for less in _less(offered):
            assert output.satisfaction(less) is None, (descriptor.text, way)
        assert output.plan(set(list(signers)[1:]), _unsigned_offer(unsigned, way)) is None
