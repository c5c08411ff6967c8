"""Signing with keys in memory, satisfying a path with what was signed, and verifying the result.

The signers of the next issue answer through PSBTs; what they put together is the same: signatures
by input, joined, satisfied, verified by Core's engine.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from controller.contracts.draft import Draft
from controller.contracts.errors import UnsatisfiedError
from shared.bitcoin.bip32 import ExtendedPrivateKey
from shared.bitcoin.descriptors import (
    DerivedOutput,
    DerivedScript,
    ExtendedKey,
    Form,
    KeyExpression,
    Offered,
    SingleKey,
    Steps,
)
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.miniscript import Available
from shared.bitcoin.sighash import SighashType
from shared.bitcoin.taproot import tweak
from shared.bitcoin.transaction import Transaction, TxOut

Verify = Callable[[Transaction, Sequence[TxOut]], None]
"""As `controller.chain.engine.verify`."""

_ALL = SighashType.ALL.suffix


@dataclass(frozen=True, slots=True)
class InputSignatures:
    """What was signed for one input; each as `Offered` has it."""

    signatures: Mapping[bytes, bytes] = field(default_factory=dict)
    key_signature: bytes | None = None
    leaf_signatures: Mapping[tuple[bytes, bytes], bytes] = field(default_factory=dict)


class Keys(Protocol):
    """Private keys by the key expression that a descriptor has for them."""

    def private_key(self, expression: KeyExpression, branch: int, index: int) -> PrivateKey | None:
        """The key at that place, None where it is not here."""
        ...


class MemoryKeys:
    """Account keys in memory. Shows none of them; each branch's parent is derived once."""

    def __init__(
        self, accounts: Iterable[ExtendedPrivateKey] = (), single: Iterable[PrivateKey] = ()
    ) -> None:
        self._accounts = {one.private_key.public_key: one for one in accounts}
        self._single = {one.public_key[1:]: one for one in single}
        self._parents: dict[tuple[bytes, Steps, int], ExtendedPrivateKey] = {}

    def __repr__(self) -> str:
        return f"MemoryKeys({len(self._accounts)} accounts, {len(self._single)} single keys)"

    def account(self, public_key: bytes) -> PrivateKey | None:
        """The private key of an account key itself, as MuSig2 signs with it."""
        found = self._accounts.get(public_key)
        return None if found is None else found.private_key

    def private_key(self, expression: KeyExpression, branch: int, index: int) -> PrivateKey | None:
        """See `Keys`."""
        if isinstance(expression, SingleKey):
            return self._single.get(expression.key[1:])
        if not isinstance(expression, ExtendedKey):
            return None
        place = expression.key.public_key, expression.steps, branch
        parent = self._parents.get(place)
        if parent is None:
            account = self._accounts.get(expression.key.public_key)
            if account is None:
                return None
            parent = account.derive(expression.steps.path(branch))
            self._parents[place] = parent
        return parent.child(index).private_key if expression.steps.is_ranged else parent.private_key


def sign(draft: Draft, keys: Keys, aux_rand: bytes) -> tuple[InputSignatures, ...]:
    """What these keys sign of the draft's option, one an input: as many as each group asks for.

    `aux_rand` is 32 bytes of fresh randomness for BIP340; zeros make it deterministic.
    """
    return tuple([_sign_input(draft, place, keys, aux_rand) for place in range(len(draft.spent))])


def _sign_input(draft: Draft, place: int, keys: Keys, aux_rand: bytes) -> InputSignatures:
    output, digest, leaf = draft.spent[place], draft.digests[place], draft.leaves[place]
    is_wsh = output.form is Form.WSH
    if leaf is None and not is_wsh:
        return _sign_key_path(output, digest, keys, aux_rand)
    part = output.scripts[0] if leaf is None else leaf.part
    found: dict[bytes, bytes] = {}
    for required, names in draft.option.key_groups:
        signed = 0
        for name in names:
            if signed == required:
                break
            private = keys.private_key(_expression(part, name), output.branch, output.index)
            if private is None:
                continue
            signed += 1
            found[part.keys[name]] = (
                private.sign_ecdsa(digest) + _ALL
                if is_wsh
                else private.sign_schnorr(digest, aux_rand)
            )
    if leaf is None:
        return InputSignatures(found)
    return InputSignatures(
        leaf_signatures={(key, leaf.hash): signature for key, signature in found.items()}
    )


def _sign_key_path(
    output: DerivedOutput, digest: bytes, keys: Keys, aux_rand: bytes
) -> InputSignatures:
    expression, taproot = output.key_expression, output.taproot
    if expression is None or taproot is None:
        return InputSignatures()
    private = keys.private_key(expression, output.branch, output.index)
    if private is None:
        return InputSignatures()
    added = tweak(taproot.internal_key, taproot.merkle_root)
    return InputSignatures(key_signature=private.sign_schnorr_tweaked(digest, added, aux_rand))


def _expression(part: DerivedScript, name: str) -> KeyExpression:
    for text, expression in zip(part.conditions.miniscript.keys, part.conditions.keys, strict=True):
        if text == name:
            return expression
    raise UnsatisfiedError("key", name[:80], "a key of the script")


def join(*signed: Sequence[InputSignatures]) -> tuple[InputSignatures, ...]:
    """What several signers signed, input by input."""
    return tuple(
        InputSignatures(
            {key: value for part in one for key, value in part.signatures.items()},
            next((part.key_signature for part in one if part.key_signature), None),
            {key: value for part in one for key, value in part.leaf_signatures.items()},
        )
        for one in zip(*signed, strict=True)
    )


def satisfy(
    draft: Draft,
    signed: Sequence[InputSignatures],
    preimages: Mapping[bytes, bytes] | None = None,
) -> Transaction:
    """The transaction with its witnesses; UnsatisfiedError names the input that lacks something."""
    witnesses = []
    for place, one in enumerate(signed):
        witness = _witness(draft, place, one, preimages or {})
        if witness is None:
            raise UnsatisfiedError(
                f"inputs[{place}]", "signatures or a secret are missing", draft.path.required
            )
        witnesses.append(witness)
    return draft.transaction.with_witnesses(witnesses)


def _witness(
    draft: Draft, place: int, signed: InputSignatures, preimages: Mapping[bytes, bytes]
) -> tuple[bytes, ...] | None:
    """By the draft's own option, whatever else the signatures would satisfy."""
    output, leaf, transaction = draft.spent[place], draft.leaves[place], draft.transaction
    sequence = transaction.inputs[place].sequence
    if leaf is None:
        offered = Offered(
            signed.signatures,
            signed.key_signature,
            {},
            preimages,
            sequence,
            transaction.lock_time,
            transaction.version,
        )
        spend = output.satisfaction(offered)
        return None if spend is None else spend.witness
    in_leaf = {key: one for (key, at), one in signed.leaf_signatures.items() if at == leaf.hash}
    available = Available(in_leaf, preimages, sequence, transaction.lock_time, transaction.version)
    found = leaf.part.conditions.miniscript.satisfy(leaf.part.keys, available)
    if found is None or output.taproot is None:
        return None
    return (*found.witness, leaf.leaf.script, output.taproot.control_block(leaf.leaf))


def finish(
    draft: Draft,
    signed: Sequence[InputSignatures],
    verify: Verify,
    preimages: Mapping[bytes, bytes] | None = None,
) -> Transaction:
    """The satisfied transaction that the engine accepts and that keeps to the draft's meter.

    Raises what `satisfy` and `verify` raise.
    """
    transaction = satisfy(draft, signed, preimages)
    weight = transaction.weight
    if weight > draft.usage.weight:
        raise UnsatisfiedError("weight", str(weight), f"at most {draft.usage.weight} as drafted")
    verify(transaction, draft.prevouts)
    return transaction
