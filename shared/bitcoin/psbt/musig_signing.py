"""Both rounds of MuSig2 (BIP373 "Signer") for every session of a PSBT, through a callback.

The callback keeps the secret nonces, in memory and no longer than until the second round; here
each answer is checked before it enters the PSBT.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from shared.bitcoin.bip32 import KeyOrigin
from shared.bitcoin.musig2 import Session
from shared.bitcoin.psbt.digests import Digests
from shared.bitcoin.psbt.model import Psbt
from shared.bitcoin.psbt.musig import (
    MusigSession,
    add_nonce,
    add_partial_signature,
    complete,
    open_session,
    sessions,
)


@dataclass(frozen=True, slots=True)
class MusigRequest:
    """A participant's turn: `participant` is its compressed key, `origin` where it comes from."""

    session: MusigSession
    participant: bytes
    origin: KeyOrigin | None


class MusigSigner(Protocol):
    """Whoever holds participants' keys."""

    def make_nonce(self, request: MusigRequest) -> bytes | None:
        """Round one: a new public nonce, 66 bytes; None when the key is not here."""
        ...

    def sign_part(self, request: MusigRequest, opened: Session) -> bytes | None:
        """Round two: 32 bytes from the nonce of round one; None when the key is not here."""
        ...


def add_nonces(psbt: Psbt, signer: MusigSigner) -> Psbt:
    """Add a nonce for each participant of the signer's that has none yet. Raises PsbtError."""
    for request in list(_requests(psbt)):
        held = psbt.inputs[request.session.input_index].musig_nonces
        if request.session.place(request.participant) in held:
            continue
        nonce = signer.make_nonce(request)
        if nonce is not None:
            psbt = add_nonce(psbt, request.session, request.participant, nonce)
    return psbt


def add_partial_signatures(psbt: Psbt, signer: MusigSigner) -> Psbt:
    """Add the signer's parts to each session in which every participant's nonce is there.

    Raises PsbtError for a part that does not verify.
    """
    for request in list(_requests(psbt)):
        session, participant = request.session, request.participant
        one = psbt.inputs[session.input_index]
        places = {session.place(key) for key in session.aggregate.public_keys}
        is_signed = session.place(participant) in one.musig_partial_signatures
        if is_signed or not places <= one.musig_nonces.keys():
            continue
        part = signer.sign_part(request, open_session(psbt, session))
        if part is not None:
            psbt = add_partial_signature(psbt, session, participant, part)
    return psbt


def complete_sessions(psbt: Psbt) -> Psbt:
    """Add up each session whose parts are all there. Raises PsbtError naming a wrong part."""
    for session in list(_sessions(psbt)):
        held = psbt.inputs[session.input_index].musig_partial_signatures
        if all(session.place(key) in held for key in session.aggregate.public_keys):
            psbt = complete(psbt, session)
    return psbt


def _requests(psbt: Psbt) -> Iterator[MusigRequest]:
    for session in _sessions(psbt):
        derivations = psbt.inputs[session.input_index].tap_derivations
        for participant in session.aggregate.public_keys:
            held = derivations.get(participant[1:])
            yield MusigRequest(session, participant, None if held is None else held.origin)


def _sessions(psbt: Psbt) -> Iterator[MusigSession]:
    asked = [at for at, one in enumerate(psbt.inputs) if one.musig_participants]
    digests = Digests(psbt)
    for at in asked:
        if not psbt.inputs[at].is_final:
            yield from sessions(psbt, at, digests)
