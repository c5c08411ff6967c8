"""Those who take part in a PSBT: a key holder, a script's satisfier, and Core's engine as judge."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pbk
from pbk.script import PrecomputedTransactionData

from shared.bitcoin.bip32 import KeyOrigin, KeyPath
from shared.bitcoin.descriptors import Offered, Spend
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.psbt import (
    EcdsaRequest,
    InputDescription,
    Psbt,
    SchnorrRequest,
    TapOrigin,
    create,
    describe_input,
    parse,
    serialise,
    set_spent,
)
from shared.bitcoin.script import p2tr, p2wpkh, p2wsh
from shared.bitcoin.taproot import Leaf, TaprootOutput
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut

ORIGIN = KeyOrigin(bytes.fromhex("a1b2c3d4"), KeyPath.parse("84h/1h/0h/0/7"))
KEYS = tuple(PrivateKey(bytes(31) + bytes([number])) for number in range(1, 7))
AMOUNT_SAT = 100_000
PAYEE = bytes.fromhex("0014") + bytes(range(20))


@dataclass
class Holder:
    """Signs with its own keys, and remembers what it was asked."""

    keys: Sequence[PrivateKey]
    asked: list[EcdsaRequest | SchnorrRequest] = field(default_factory=list)

    def sign_ecdsa(self, request: EcdsaRequest) -> bytes | None:
        self.asked.append(request)
        for key in self.keys:
            if key.public_key == request.public_key:
                return key.sign_ecdsa(request.digest)
        return None

    def sign_schnorr(self, request: SchnorrRequest) -> bytes | None:
        self.asked.append(request)
        for key in self.keys:
            if key.x_only == request.x_only:
                tweak = request.tweak
                signing = key if tweak is None else key.with_even_y().tweaked(tweak)
                return signing.sign_schnorr(request.digest, bytes(32))
        return None


@dataclass(frozen=True)
class Multisig:
    """`threshold` of the keys, in a witness script or, with CHECKSIGADD, in a leaf."""

    threshold: int
    public_keys: tuple[bytes, ...]

    @property
    def script(self) -> bytes:
        pushed = b"".join(b"\x21" + key for key in self.public_keys)
        counts = bytes([0x50 + self.threshold]), bytes([0x50 + len(self.public_keys)])
        return counts[0] + pushed + counts[1] + b"\xae"

    def satisfaction(self, offered: Offered) -> Spend | None:
        held = [offered.signatures.get(key) for key in self.public_keys]
        signatures = [one for one in held if one is not None][: self.threshold]
        if len(signatures) < self.threshold:
            return None
        return Spend(b"", (b"", *signatures, self.script))


@dataclass(frozen=True)
class LeafKey:
    """One key's CHECKSIG in a leaf of an output."""

    output: TaprootOutput
    leaf: Leaf

    def satisfaction(self, offered: Offered) -> Spend | None:
        signature = offered.leaf_signatures.get((self.leaf.script[1:33], self.leaf.hash))
        if signature is None:
            return None
        control_block = self.output.control_block(self.leaf)
        return Spend(b"", (signature, self.leaf.script, control_block))


def checksig(key: PrivateKey) -> Leaf:
    """A leaf that one key satisfies."""
    return Leaf(b"\x20" + key.x_only + b"\xac")


def funded(script_pubkey: bytes, version: int = 2, decoys: int = 1) -> tuple[Psbt, Transaction]:
    """A PSBT that spends one output of this script, and the transaction that made the output."""
    bare = TxOut(5_000, PAYEE)
    outputs = (*(bare for _ in range(decoys)), TxOut(AMOUNT_SAT, script_pubkey))
    previous = Transaction(2, (TxIn(OutPoint(bytes([7] * 32), 0)),), outputs)
    spend = TxIn(previous.outpoint(decoys), sequence=0xFFFFFFFD)
    draft = Transaction(2, (spend,), (TxOut(AMOUNT_SAT - 1_000, PAYEE),), 500)
    return create(draft, 0 if version == 0 else 2), previous


def carried(psbt: Psbt) -> Psbt:
    """What arrives of a PSBT that is sent."""
    return parse(serialise(psbt))


def ready(script_pubkey: bytes, known: InputDescription, version: int = 2) -> Psbt:
    """A PSBT whose one input is proven and described."""
    psbt, previous = funded(script_pubkey, version)
    is_taproot = script_pubkey[:1] == b"\x51"
    utxo = previous.outputs[-1]
    psbt = set_spent(psbt, 0, utxo, None if is_taproot else previous)
    return carried(describe_input(psbt, 0, known))


def multisig_input(multisig: Multisig, version: int = 2) -> Psbt:
    """A PSBT that spends from the keys of a witness script."""
    derivations = dict.fromkeys(multisig.public_keys, ORIGIN)
    known = InputDescription(witness_script=multisig.script, derivations=derivations)
    return ready(p2wsh(multisig.script), known, version)


def taproot_description(
    output: TaprootOutput, signers: Iterable[PrivateKey] = (), sighash_type: int | None = None
) -> InputDescription:
    """All of an output's leaves; each signer in the leaves that name it."""
    derivations = {output.internal_key: TapOrigin((), ORIGIN)}
    for key in signers:
        hashes = tuple(leaf.hash for leaf in output.leaves if key.x_only in leaf.script)
        derivations[key.x_only] = TapOrigin(hashes, ORIGIN)
    return InputDescription(
        sighash_type=sighash_type,
        tap_internal_key=output.internal_key,
        tap_merkle_root=output.merkle_root,
        tap_leaf_scripts={output.control_block(leaf): leaf for leaf in output.leaves},
        tap_derivations=derivations,
    )


def taproot_input(
    output: TaprootOutput,
    signers: Iterable[PrivateKey] = (),
    version: int = 2,
    sighash_type: int | None = None,
) -> Psbt:
    """A PSBT that spends a taproot output."""
    known = taproot_description(output, signers, sighash_type)
    return ready(p2tr(output.output_key), known, version)


def engine_accepts(transaction: Transaction, spent: Sequence[TxOut]) -> bool:
    """Whether Core's consensus engine finds every input satisfied."""
    outputs = [
        pbk.TransactionOutput(pbk.ScriptPubkey(one.script_pubkey), one.amount_sat) for one in spent
    ]
    judged = pbk.Transaction(transaction.serialise())
    precomputed = PrecomputedTransactionData(judged, outputs)
    return all(
        pbk.ScriptPubkey(one.script_pubkey).verify(
            one.amount_sat, judged, precomputed, at, pbk.ScriptVerificationFlags.ALL
        )
        for at, one in enumerate(spent)
    )


TWO_OF_THREE = Multisig(2, tuple(key.public_key for key in KEYS[:3]))
LEAVES = (checksig(KEYS[1]), checksig(KEYS[2]))
TREE = TaprootOutput(KEYS[0].x_only, LEAVES)


def key_input(version: int = 2) -> Psbt:
    known = InputDescription(derivations={KEYS[0].public_key: ORIGIN})
    return ready(p2wpkh(KEYS[0].public_key), known, version)
