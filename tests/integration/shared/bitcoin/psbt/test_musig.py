"""MuSig2 through PSBTs that travel: on the key path, from a derived key, in a leaf."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from btclib_wallet.psbt import Psbt as Oracle
from btclib_wallet.psbt import musig2 as oracle_musig

from shared.bitcoin.bip32 import KeyOrigin, KeyPath
from shared.bitcoin.errors import PsbtError
from shared.bitcoin.musig2 import KeyAggregate, SecretNonce, generate_nonce, synthetic_key
from shared.bitcoin.psbt import (
    InputDescription,
    Psbt,
    TapOrigin,
    combine,
    extract,
    finalise,
    serialise,
    spent_outputs,
)
from shared.bitcoin.psbt.musig import (
    MusigSession,
    add_nonce,
    add_partial_signature,
    complete,
    open_session,
    sessions,
)
from shared.bitcoin.script import p2tr, p2wpkh
from shared.bitcoin.taproot import Leaf, TaprootOutput
from tests.integration.shared.bitcoin.psbt.parties import (
    KEYS,
    ORIGIN,
    LeafKey,
    carried,
    checksig,
    engine_accepts,
    ready,
    taproot_description,
)

SIGNERS = KEYS[:3]
PUBLIC = tuple(key.public_key for key in SIGNERS)
AGGREGATE = KeyAggregate(PUBLIC)
PARTICIPANTS = {AGGREGATE.plain: PUBLIC}
RECOVERY = checksig(KEYS[4])


def on_key_path() -> Psbt:
    """The aggregate is the internal key; a recovery leaf stands beside it."""
    output = TaprootOutput(AGGREGATE.x_only, RECOVERY)
    known = replace(taproot_description(output), musig_participants=PARTICIPANTS)
    return ready(p2tr(output.output_key), known)


def derived() -> Psbt:
    """The internal key is a child of the aggregate (BIP328)."""
    path = KeyPath((0, 7))
    child = synthetic_key(AGGREGATE.plain).derive(path)
    output = TaprootOutput(child.public_key[1:])
    origin = KeyOrigin(synthetic_key(AGGREGATE.plain).fingerprint, path)
    known = replace(
        taproot_description(output),
        musig_participants=PARTICIPANTS,
        tap_derivations={output.internal_key: TapOrigin((), origin)},
    )
    return ready(p2tr(output.output_key), known)


def output_key_itself() -> Psbt:
    """The aggregate is the output key: no tweak at all."""
    return ready(p2tr(AGGREGATE.x_only), InputDescription(musig_participants=PARTICIPANTS))


LEAF = Leaf(b"\x20" + AGGREGATE.x_only + b"\xac")
IN_LEAF = TaprootOutput(KEYS[5].x_only, (LEAF, RECOVERY))


def in_leaf() -> Psbt:
    """The aggregate is a key in a leaf."""
    known = replace(taproot_description(IN_LEAF), musig_participants=PARTICIPANTS)
    return ready(p2tr(IN_LEAF.output_key), known)


WAYS = pytest.mark.parametrize("make", [on_key_path, derived, output_key_itself, in_leaf])


def only_session(psbt: Psbt) -> MusigSession:
    (session,) = sessions(psbt, 0)
    return session


def nonce_of(session: MusigSession, signer: int) -> SecretNonce:
    fresh = bytes([signer + 1] * 32)
    return generate_nonce(fresh, SIGNERS[signer], session.aggregate, session.message)


def round_one(psbt: Psbt) -> tuple[Psbt, list[SecretNonce]]:
    """Each signer adds its nonce to a copy of its own; the copies are combined."""
    session, nonces, copies = only_session(psbt), [], []
    for signer in range(3):
        nonce = nonce_of(session, signer)
        nonces.append(nonce)
        copies.append(carried(add_nonce(psbt, session, PUBLIC[signer], nonce.public_nonce)))
    return carried(combine(copies)), nonces


def round_two(psbt: Psbt, nonces: list[SecretNonce]) -> Psbt:
    session, copies = only_session(psbt), []
    for signer in range(3):
        part = open_session(psbt, session).partial_sign(nonces[signer], SIGNERS[signer])
        copies.append(carried(add_partial_signature(psbt, session, PUBLIC[signer], part)))
    return carried(combine(copies))


@WAYS
def test_a_session_ends_in_a_spend_that_cores_engine_accepts(make: Callable[[], Psbt]) -> None:
    psbt, nonces = round_one(make())
    signed = round_two(psbt, nonces)
    done = carried(complete(signed, only_session(signed)))
    assert done.inputs[0].musig_nonces == done.inputs[0].musig_partial_signatures == {}
    satisfiers = {0: LeafKey(IN_LEAF, LEAF)} if make is in_leaf else {}
    spending = extract(finalise(done, satisfiers))
    assert engine_accepts(spending, spent_outputs(psbt))


@WAYS
def test_the_oracle_ends_the_same_session_with_the_same_signature(
    make: Callable[[], Psbt],
) -> None:
    psbt, nonces = round_one(make())
    signed = round_two(psbt, nonces)
    session = only_session(signed)
    leaf = session.leaf_hash or b""
    theirs = Oracle.parse(serialise(signed))
    oracle_musig.partial_sigs_agg(theirs, 0, AGGREGATE.plain, leaf_hash=leaf)
    ours = complete(signed, session).inputs[0]
    if make is in_leaf:
        assert theirs.inputs[0].taproot_script_spend_signatures == ours.tap_script_signatures
    else:
        assert theirs.inputs[0].taproot_key_spend_signature == ours.tap_key_signature


def test_a_nonce_is_not_replaced_and_must_be_one() -> None:
    psbt = on_key_path()
    session = only_session(psbt)
    nonces = [nonce_of(session, 0).public_nonce, nonce_of(session, 1).public_nonce]
    once = add_nonce(psbt, session, PUBLIC[0], nonces[0])
    assert add_nonce(once, session, PUBLIC[0], nonces[0]) == once
    with pytest.raises(PsbtError, match="another nonce"):
        add_nonce(once, session, PUBLIC[0], nonces[1])
    with pytest.raises(PsbtError, match="PSBT_IN_MUSIG2_PUB_NONCE"):
        add_nonce(psbt, session, PUBLIC[0], bytes(66))
    with pytest.raises(PsbtError, match="no participant"):
        add_nonce(psbt, session, KEYS[4].public_key, nonces[0])


def test_who_is_missing_is_named() -> None:
    psbt = on_key_path()
    session = only_session(psbt)
    with pytest.raises(PsbtError, match=f"PUB_NONCE.{PUBLIC[0].hex()}.: missing"):
        open_session(psbt, session)
    psbt, nonces = round_one(psbt)
    part = open_session(psbt, session).partial_sign(nonces[0], SIGNERS[0])
    psbt = add_partial_signature(psbt, session, PUBLIC[0], part)
    with pytest.raises(PsbtError, match=f"PARTIAL_SIG.{PUBLIC[1].hex()}.: missing"):
        complete(psbt, session)


def test_a_wrong_part_is_named_and_not_added() -> None:
    psbt, nonces = round_one(on_key_path())
    session = only_session(psbt)
    part = open_session(psbt, session).partial_sign(nonces[0], SIGNERS[0])
    with pytest.raises(PsbtError, match="does not verify") as refused:
        add_partial_signature(psbt, session, PUBLIC[1], part)
    assert PUBLIC[1].hex() in refused.value.field
    with pytest.raises(PsbtError, match="no participant"):
        add_partial_signature(psbt, session, KEYS[4].public_key, part)


def test_a_changed_transaction_is_another_session() -> None:
    psbt, nonces = round_one(on_key_path())
    changed = replace(psbt, outputs=(replace(psbt.outputs[0], amount_sat=1),))
    session = only_session(changed)
    assert session.message != only_session(psbt).message
    opened = open_session(changed, session)
    with pytest.raises(Exception, match="another message"):
        opened.partial_sign(nonces[0], SIGNERS[0])


def test_participants_that_make_another_key_are_refused() -> None:
    psbt = on_key_path()
    others = {AGGREGATE.plain: PUBLIC[::-1]}
    changed = replace(psbt, inputs=(replace(psbt.inputs[0], musig_participants=others),))
    with pytest.raises(PsbtError, match="another aggregate"):
        sessions(changed, 0)


def test_an_aggregate_that_signs_nothing_here_has_no_session() -> None:
    output = TaprootOutput(KEYS[5].x_only, RECOVERY)
    known = replace(taproot_description(output), musig_participants=PARTICIPANTS)
    assert sessions(ready(p2tr(output.output_key), known), 0) == ()
    derivations = {KEYS[0].public_key: ORIGIN}
    plain = ready(p2wpkh(KEYS[0].public_key), InputDescription(derivations=derivations))
    assert sessions(plain, 0) == ()


def test_a_wrong_part_that_was_combined_in_is_named_in_the_end() -> None:
    psbt, nonces = round_one(on_key_path())
    signed = round_two(psbt, nonces)
    session = only_session(signed)
    one = signed.inputs[0]
    place = session.place(PUBLIC[1])
    parts = {**one.musig_partial_signatures, place: bytes(31) + b"\x01"}
    spoiled = replace(signed, inputs=(replace(one, musig_partial_signatures=parts),))
    with pytest.raises(PsbtError, match="does not verify") as refused:
        complete(spoiled, session)
    assert PUBLIC[1].hex() in refused.value.field


def test_participants_are_checked_when_an_input_is_described() -> None:
    output = TaprootOutput(AGGREGATE.x_only)
    others = {AGGREGATE.plain: PUBLIC[::-1]}
    known = replace(taproot_description(output), musig_participants=others)
    with pytest.raises(PsbtError, match="MUSIG2_PARTICIPANT_PUBKEYS"):
        ready(p2tr(output.output_key), known)
