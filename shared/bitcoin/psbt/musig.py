"""MuSig2 in a PSBT (BIP373): participants, public nonces, partial signatures, the signature.

A `MusigSession` says what one aggregate signs at one input: the key with its tweaks, the message
and where its nonces and parts stand. Secret nonces are never in the PSBT; each signer keeps its own
`shared.bitcoin.musig2.SecretNonce` in memory between the two rounds.

Three ways lead from an aggregate to what it signs for: it is (or derives to) the internal key, it
is the output key itself, or it is a key in a leaf. Derivation follows BIP328.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from shared.bitcoin.errors import BitcoinError, PsbtError
from shared.bitcoin.hashes import hash160
from shared.bitcoin.keys import verify_schnorr
from shared.bitcoin.musig2 import (
    KeyAggregate,
    Session,
    Tweak,
    aggregate_nonces,
    derivation_tweaks,
)
from shared.bitcoin.psbt.digests import Digests
from shared.bitcoin.psbt.model import Psbt, PsbtInput
from shared.bitcoin.psbt.sighash_types import schnorr_suffix, schnorr_type
from shared.bitcoin.psbt.taproot import check_input
from shared.bitcoin.script import ScriptKind
from shared.bitcoin.taproot import Leaf, tweak


@dataclass(frozen=True, slots=True)
class MusigSession:
    """What one aggregate signs at one input.

    `aggregate` is tweaked as it signs; `message` is the 32-byte digest; `leaf_hash` is set in a
    script.
    """

    input_index: int
    aggregate: KeyAggregate
    message: bytes
    leaf_hash: bytes | None

    def place(self, participant: bytes) -> bytes:
        """BIP373: the key data of a participant's nonce and part."""
        return participant + self.aggregate.public_key + (self.leaf_hash or b"")


def sessions(psbt: Psbt, at: int, digests: Digests | None = None) -> tuple[MusigSession, ...]:
    """Every session of an input whose spent outputs are proven. Raises PsbtError.

    `digests` of the same PSBT, where many inputs are asked, save hashing it for each.
    """
    digests = digests or Digests(psbt)
    if digests.kind(at) is not ScriptKind.P2TR:
        return ()
    one, program = psbt.inputs[at], digests.program(at)
    check_input(one, program, at)
    found = []
    for plain, participants in one.musig_participants.items():
        if KeyAggregate(participants).plain != plain:
            field = f"inputs[{at}].PSBT_IN_MUSIG2_PARTICIPANT_PUBKEYS({plain.hex()})"
            raise PsbtError(field, "another aggregate", "the key its participants make")
        for aggregate, leaf in _uses(one, program[2:], KeyAggregate(participants)):
            digest = digests.schnorr(at, leaf)
            found.append(MusigSession(at, aggregate, digest, leaf.hash if leaf else None))
    return tuple(found)


def add_nonce(psbt: Psbt, session: MusigSession, participant: bytes, nonce: bytes) -> Psbt:
    """Round one: a participant's 66-byte public nonce. Another one of the same is refused."""
    _check_participant(session, participant)
    _checked_nonce(session, participant, nonce)
    one = psbt.inputs[session.input_index]
    place = session.place(participant)
    if one.musig_nonces.get(place, nonce) != nonce:
        raise _error(session, "PSBT_IN_MUSIG2_PUB_NONCE", participant, "another nonce", "one")
    return _with(psbt, session, replace(one, musig_nonces={**one.musig_nonces, place: nonce}))


def open_session(psbt: Psbt, session: MusigSession) -> Session:
    """Between the rounds: the session to sign in. Raises PsbtError while a nonce is missing."""
    held = psbt.inputs[session.input_index].musig_nonces
    nonces = []
    for participant in session.aggregate.public_keys:
        nonce = held.get(session.place(participant))
        if nonce is None:
            name = "PSBT_IN_MUSIG2_PUB_NONCE"
            raise _error(session, name, participant, "missing", "every participant's nonce")
        nonces.append(nonce)
    return Session(session.aggregate, aggregate_nonces(nonces), session.message)


def add_partial_signature(
    psbt: Psbt, session: MusigSession, participant: bytes, signature: bytes
) -> Psbt:
    """Round two: a participant's 32 bytes, verified. PsbtError names who sent a wrong one."""
    _check_participant(session, participant)
    one = psbt.inputs[session.input_index]
    opened, place = open_session(psbt, session), session.place(participant)
    if not opened.partial_verify(signature, one.musig_nonces[place], participant):
        name, allowed = "PSBT_IN_MUSIG2_PARTIAL_SIG", "a part for this session"
        raise _error(session, name, participant, "does not verify", allowed)
    parts = {**one.musig_partial_signatures, place: signature}
    return _with(psbt, session, replace(one, musig_partial_signatures=parts))


def complete(psbt: Psbt, session: MusigSession) -> Psbt:
    """Add up the parts into the BIP340 signature of the key path or leaf, and drop the session.

    Raises PsbtError while a part is missing, or when the sum does not verify.
    """
    one, at = psbt.inputs[session.input_index], session.input_index
    parts: list[bytes] = []
    for participant in session.aggregate.public_keys:
        part = one.musig_partial_signatures.get(session.place(participant))
        if part is None:
            name = "PSBT_IN_MUSIG2_PARTIAL_SIG"
            raise _error(session, name, participant, "missing", "every participant's part")
        parts.append(part)
    key = session.aggregate.x_only
    opened = open_session(psbt, session)
    signature = opened.aggregate(parts)
    if not verify_schnorr(key, session.message, signature):
        raise _culprit(psbt, session, opened, parts)
    signature += schnorr_suffix(schnorr_type(one, at))
    mine = {session.place(participant) for participant in session.aggregate.public_keys}
    changed = replace(
        one,
        musig_nonces=_without(one.musig_nonces, mine),
        musig_partial_signatures=_without(one.musig_partial_signatures, mine),
    )
    if session.leaf_hash is None:
        return _with(psbt, session, replace(changed, tap_key_signature=signature))
    in_leaves = {**one.tap_script_signatures, key + session.leaf_hash: signature}
    return _with(psbt, session, replace(changed, tap_script_signatures=in_leaves))


def _culprit(psbt: Psbt, session: MusigSession, opened: Session, parts: list[bytes]) -> PsbtError:
    """Whose part spoiled the sum; parts that a combiner brought were verified by nobody."""
    held = psbt.inputs[session.input_index].musig_nonces
    for participant, part in zip(session.aggregate.public_keys, parts, strict=True):
        if not opened.partial_verify(part, held[session.place(participant)], participant):
            name, allowed = "PSBT_IN_MUSIG2_PARTIAL_SIG", "a part for this session"
            return _error(session, name, participant, "does not verify", allowed)
    place = f"inputs[{session.input_index}]"
    return PsbtError(place, "the parts make no signature", "parts that add up")


def _uses(
    one: PsbtInput, output_key: bytes, plain: KeyAggregate
) -> Iterator[tuple[KeyAggregate, Leaf | None]]:
    """The aggregate as it signs in each place where it does."""
    if plain.x_only == output_key:
        yield plain, None
    internal = one.tap_internal_key
    for derived in (plain, *_derived(one, plain)):
        if derived.x_only == internal:
            added = Tweak(tweak(internal, one.tap_merkle_root), x_only=True)
            yield derived.tweaked(added), None
        for leaf in one.tap_leaf_scripts.values():
            if b"\x20" + derived.x_only in leaf.script:
                yield derived, leaf


def _derived(one: PsbtInput, plain: KeyAggregate) -> Iterator[KeyAggregate]:
    """The keys of the input that derive from the aggregate, by BIP328's fingerprint and path."""
    fingerprint = hash160(plain.plain)[:4]
    for x_only, held in one.tap_derivations.items():
        path = held.origin.path
        if held.origin.fingerprint == fingerprint and path.indices and not path.is_hardened:
            derived = plain.tweaked(*derivation_tweaks(plain.plain, path))
            if derived.x_only == x_only:
                yield derived


def _check_participant(session: MusigSession, participant: bytes) -> None:
    if participant not in session.aggregate.public_keys:
        raise _error(session, "MUSIG2", participant, "no participant", "one of the aggregate's")


def _checked_nonce(session: MusigSession, participant: bytes, nonce: bytes) -> None:
    try:
        aggregate_nonces([nonce])
    except BitcoinError as refused:
        name = "PSBT_IN_MUSIG2_PUB_NONCE"
        raise _error(session, name, participant, refused.problem, refused.allowed) from refused


def _without(held: Mapping[bytes, bytes], mine: set[bytes]) -> dict[bytes, bytes]:
    return {key: value for key, value in held.items() if key not in mine}


def _with(psbt: Psbt, session: MusigSession, changed: PsbtInput) -> Psbt:
    at = session.input_index
    return replace(psbt, inputs=(*psbt.inputs[:at], changed, *psbt.inputs[at + 1 :]))


def _error(
    session: MusigSession, name: str, participant: bytes, problem: str, allowed: str
) -> PsbtError:
    place = f"inputs[{session.input_index}].{name}({participant.hex()})"
    return PsbtError(place, problem, allowed)
