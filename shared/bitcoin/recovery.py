"""Moves a wallet's coins by its descriptor and its keys alone, when the suite is gone. Pure.

Of a descriptor's paths it takes, for each coin, the one with the shortest wait (BIP68) that the
keys can use. Waits and locks in seconds, hash locks and MuSig2, which takes two rounds, are not for
here. `docs/recovery.md` has the steps for a person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.bitcoin import address, descriptors
from shared.bitcoin.bip32 import ExtendedPrivateKey, KeyOrigin, KeyPath
from shared.bitcoin.bip39 import seed_of
from shared.bitcoin.descriptors import DerivedOutput, Descriptor, Offered, Spend
from shared.bitcoin.errors import KeyMaterialError, TransactionError
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.networks import Network
from shared.bitcoin.psbt import (
    EcdsaRequest,
    SchnorrRequest,
    create,
    describe_input,
    extract,
    finalise,
    input_description,
    set_spent,
    sign,
)
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from shared.secret import HIDDEN

MOST_COINS: Final = 500
MOST_INDICES: Final = 100_000
FEERATES_SAT_PER_VB: Final = range(1, 1_001)
LEAST_PAID_SAT: Final = 546
"""Core's dust limit for the dearest kind of output (P2PKH), at the feerate it starts with."""

_HEIGHTS: Final = range(500_000_000)  # BIP65: from there on a lock is a time
_COINBASE_MATURITY: Final = 100
_MOST_OLDER: Final = 0xFFFF
_NO_WAIT: Final = 0xFFFFFFFD
_BARE_INPUT_BYTES: Final = 41
_MARKER_AND_FLAG: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class RecoveryKey:
    """An extended private key and its origin. Its repr shows the origin only."""

    origin: KeyOrigin
    key: ExtendedPrivateKey

    @classmethod
    def of_mnemonic(cls, words: str, passphrase: str = "") -> "RecoveryKey":
        """The master key of the words (BIP39)."""
        key = ExtendedPrivateKey.of_seed(seed_of(words, passphrase))
        return cls(KeyOrigin(key.fingerprint), key)

    @classmethod
    def parse(cls, text: str, network: Network) -> "RecoveryKey":
        """An xprv, or tprv, with its origin in brackets before it unless it is a master key."""
        if not text.startswith("["):
            key = ExtendedPrivateKey.parse(text, network)
            return cls(KeyOrigin(key.fingerprint), key)
        origin, _, rest = text[1:].partition("]")
        try:
            parsed = KeyOrigin.parse(origin)
        except KeyMaterialError:  # whose message shows what it read, and that may be the key
            raise KeyMaterialError("key origin", "malformed", "[a1b2c3d4/48h/0h/0h/2h]") from None
        return cls(parsed, ExtendedPrivateKey.parse(rest, network))

    def at(self, origin: KeyOrigin) -> PrivateKey | None:
        """The key at an origin at or below this one's."""
        own, steps = self.origin.path.indices, origin.path.indices
        if self.origin.fingerprint != origin.fingerprint or steps[: len(own)] != own:
            return None
        return self.key.derive(KeyPath(steps[len(own) :])).private_key

    def __repr__(self) -> str:
        return f"RecoveryKey({self.origin}, {HIDDEN})"


@dataclass(frozen=True, slots=True)
class RecoveryCoin:
    """Output `vout` of a transaction that is in the block at `height`."""

    transaction: Transaction
    vout: int
    height: int

    @property
    def outpoint(self) -> OutPoint:
        """What an input names it by."""
        return self.transaction.outpoint(self.vout)


@dataclass(frozen=True, slots=True)
class Recovery:
    """All of the coins go to one address.

    `height` is that of the chain's last block: the transaction is made for the block after it.
    Scripts of the descriptor are looked for below `indices` on each branch.
    """

    descriptor: str
    network: Network
    coins: tuple[RecoveryCoin, ...]
    destination: str
    feerate_sat_per_vb: int
    height: int
    indices: int = 1_000

    def __post_init__(self) -> None:
        for name, value, bounds in (
            ("coins", len(self.coins), range(1, MOST_COINS + 1)),
            ("feerate_sat_per_vb", self.feerate_sat_per_vb, FEERATES_SAT_PER_VB),
            ("height", self.height, _HEIGHTS),
            ("indices", self.indices, range(1, MOST_INDICES + 1)),
        ):
            if type(value) is not int or value not in bounds:
                allowed = f"from {bounds.start} to {bounds.stop - 1}"
                raise TransactionError(name, repr(value), allowed)
        if len({one.outpoint for one in self.coins}) != len(self.coins):
            raise TransactionError("coins", "one of them twice", "each once")


@dataclass(frozen=True, slots=True)
class Recovered:
    """The signed transaction, what it pays to the destination, and its fee."""

    transaction: Transaction
    paid_sat: int
    fee_sat: int


@dataclass(frozen=True, slots=True)
class _Input:
    coin: RecoveryCoin
    spent: TxOut
    output: DerivedOutput
    spend: Spend


def recover(recovery: Recovery, keys: Sequence[RecoveryKey]) -> Recovered:
    """The transaction that moves every coin; each signature in it is verified.

    TransactionError names the coin that is not the descriptor's, that these keys cannot move, or
    not before a height that is told, and refuses where the fee leaves too little. AddressError and
    DescriptorError as their texts are read.
    """
    descriptor = descriptors.parse(recovery.descriptor, recovery.network)
    script_pubkey = address.decode(recovery.destination, recovery.network)
    inputs = _inputs(recovery, descriptor, keys)
    bare = Transaction(
        2,
        tuple(TxIn(one.coin.outpoint, sequence=_sequence(one.spend)) for one in inputs),
        (TxOut(0, script_pubkey),),
        max(one.spend.needs_after or 0 for one in inputs),
    )
    # What a spend weighs has its whole input in it.
    around = len(bare.serialise_without_witness()) - _BARE_INPUT_BYTES * len(inputs)
    weight = 4 * around + _MARKER_AND_FLAG + sum(one.spend.input_weight for one in inputs)
    fee_sat = -(-weight // 4) * recovery.feerate_sat_per_vb
    paid_sat = sum(one.spent.amount_sat for one in inputs) - fee_sat
    if paid_sat < LEAST_PAID_SAT:
        allowed = f"{LEAST_PAID_SAT} sat left behind the fee of {fee_sat} sat"
        raise TransactionError("coins", f"{paid_sat + fee_sat} sat in all", allowed)
    draft = replace(bare, outputs=(TxOut(paid_sat, script_pubkey),))
    return Recovered(_signed(draft, inputs, keys), paid_sat, fee_sat)


def _inputs(
    recovery: Recovery, descriptor: Descriptor, keys: Sequence[RecoveryKey]
) -> list[_Input]:
    spent = [_spent(one, at) for at, one in enumerate(recovery.coins)]
    places = _places(descriptor, {one.script_pubkey for one in spent}, recovery.indices)
    inputs = []
    for at, (coin, out) in enumerate(zip(recovery.coins, spent, strict=True)):
        output = places.get(out.script_pubkey)
        if output is None:
            allowed = f"an output of the descriptor below index {recovery.indices}"
            raise TransactionError(f"coins[{at}]", "another's script", allowed)
        spend = _plan(output, descriptor, keys, coin, recovery.height, f"coins[{at}]")
        inputs.append(_Input(coin, out, output, spend))
    return inputs


def _spent(coin: RecoveryCoin, at: int) -> TxOut:
    outputs = coin.transaction.outputs
    if not 0 <= coin.vout < len(outputs):
        raise TransactionError(f"coins[{at}].vout", str(coin.vout), f"below {len(outputs)}")
    return outputs[coin.vout]


def _places(
    descriptor: Descriptor, wanted: set[bytes], indices: int
) -> Mapping[bytes, DerivedOutput]:
    found: dict[bytes, DerivedOutput] = {}
    for index in range(indices if descriptor.is_ranged else 1):
        for branch in range(descriptor.branches):
            output = descriptor.at(index, branch)
            if output.script_pubkey in wanted:
                found[output.script_pubkey] = output
        if len(found) == len(wanted):
            break
    return found


def _plan(
    output: DerivedOutput,
    descriptor: Descriptor,
    keys: Sequence[RecoveryKey],
    coin: RecoveryCoin,
    height: int,
    field: str,
) -> Spend:
    """How these keys spend a coin in the block after `height`."""
    signers = {
        use.key.public_key
        for use in output.keys
        for key in keys
        if (held := key.at(use.key.origin)) is not None and _is_same(held, use.key.public_key)
    }
    age = height + 1 - coin.height
    if age < 1:
        raise TransactionError(f"{field}.height", str(coin.height), f"at most {height}")
    if coin.transaction.is_coinbase and age < _COINBASE_MATURITY:
        opens = coin.height + _COINBASE_MATURITY - 1
        raise TransactionError(field, "a block's reward, not mature", f"height {opens} or above")
    waits = sorted({0, *(one.path.older for one in descriptor.paths if one.path.older)})
    for older in (one for one in waits if one <= _MOST_OLDER):
        sequence = older or _NO_WAIT
        spend = output.plan(signers, Offered(sequence=sequence, lock_time=height))
        if spend is None:
            continue
        if older > age:
            opens = coin.height + older - 1
            raise TransactionError(field, "locked for these keys", f"height {opens} or above")
        return spend
    raise TransactionError(field, "these keys do not move it", "the keys of one of its paths")


def _is_same(held: PrivateKey, public_key: bytes) -> bool:
    """A taproot key is told by its x alone."""
    return held.x_only == public_key[1:]


def _sequence(spend: Spend) -> int:
    return _NO_WAIT if spend.needs_older is None else spend.needs_older


class _Signer:
    """The keys as a PSBT's signer. Without fresh randomness, as BIP340 allows."""

    def __init__(self, keys: Sequence[RecoveryKey]) -> None:
        self._keys = keys

    def sign_ecdsa(self, request: EcdsaRequest) -> bytes | None:
        """See `Signer`."""
        for one in self._keys:
            key = one.at(request.origin)
            if key is not None and key.public_key == request.public_key:
                return key.sign_ecdsa(request.digest)
        return None

    def sign_schnorr(self, request: SchnorrRequest) -> bytes | None:
        """See `Signer`."""
        for one in self._keys:
            key = one.at(request.origin)
            if key is None or key.x_only != request.x_only:
                continue
            if request.tweak is None:
                return key.sign_schnorr(request.digest, bytes(32))
            return key.sign_schnorr_tweaked(request.digest, request.tweak, bytes(32))
        return None


def _signed(
    draft: Transaction, inputs: Sequence[_Input], keys: Sequence[RecoveryKey]
) -> Transaction:
    psbt = create(draft)
    for at, one in enumerate(inputs):
        psbt = set_spent(psbt, at, one.spent, one.coin.transaction)
        psbt = describe_input(psbt, at, input_description(one.output))
    satisfiers = {at: one.output for at, one in enumerate(inputs)}
    return extract(finalise(sign(psbt, _Signer(keys)), satisfiers))
