"""Both rounds of MuSig2 for a draft by its key path, every participant's key in this process.

For tests, the demonstration and a single-host treasury; signers on hosts of their own exchange
nonces and parts in a PSBT (BIP373), with the same sessions.
"""

from collections.abc import Callable, Iterator
from typing import Final

from controller.contracts.draft import Draft
from controller.contracts.errors import UnsatisfiedError
from controller.contracts.signing import InputSignatures, MemoryKeys
from shared.bitcoin.descriptors import DerivedOutput
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.musig2 import (
    KeyAggregate,
    Session,
    Tweak,
    aggregate_nonces,
    derivation_tweaks,
    generate_nonce,
)
from shared.bitcoin.taproot import tweak

SESSION_RANDOM_BYTES: Final = 32


def sign_together(
    draft: Draft, keys: MemoryKeys, session_random: Callable[[], bytes]
) -> tuple[InputSignatures, ...]:
    """One BIP340 signature an input.

    `session_random` gives 32 fresh bytes of the system's generator at each call, and never the same
    twice: a repeated nonce reveals a key. UnsatisfiedError where a participant's key is missing.
    """
    return tuple(
        InputSignatures(key_signature=_sign(output, digest, keys, session_random))
        for output, digest in zip(draft.spent, draft.digests, strict=True)
    )


def _sign(
    output: DerivedOutput,
    digest: bytes,
    keys: MemoryKeys,
    session_random: Callable[[], bytes],
) -> bytes:
    aggregate = _aggregate(output)
    private = list(_participants(aggregate, keys))
    nonces = [generate_nonce(session_random(), one, aggregate, digest) for one in private]
    total = aggregate_nonces([one.public_nonce for one in nonces])
    session = Session(aggregate, total, digest)
    parts = [session.partial_sign(nonce, one) for nonce, one in zip(nonces, private, strict=True)]
    return session.aggregate(parts)


def _aggregate(output: DerivedOutput) -> KeyAggregate:
    """The aggregate as it signs: derived (BIP328), then tweaked for the output (BIP341)."""
    taproot, expression = output.taproot, output.key_expression
    derived = None if expression is None else expression.derive(output.branch, output.index)
    if taproot is None or derived is None or derived.aggregate is None:
        raise UnsatisfiedError("path", "its key is no aggregate", "a MuSig2 key path")
    made = derived.aggregate
    keys = [one.public_key for one in made.participants]
    added = Tweak(tweak(taproot.internal_key, taproot.merkle_root), x_only=True)
    return KeyAggregate(keys, (*derivation_tweaks(made.plain, made.path), added))


def _participants(aggregate: KeyAggregate, keys: MemoryKeys) -> Iterator[PrivateKey]:
    for public_key in aggregate.public_keys:
        private = keys.account(public_key)
        if private is None:
            raise UnsatisfiedError("keys", f"{public_key.hex()} is missing", "every participant's")
        yield private
