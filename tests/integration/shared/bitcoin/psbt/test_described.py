"""PSBTs described by descriptors: each signer finds its keys by origin, Core's engine judges."""

from dataclasses import dataclass, field

import pytest
from btclib_wallet.psbt import Psbt as Oracle

from shared.bitcoin import descriptors
from shared.bitcoin.bip32 import ExtendedPrivateKey, KeyOrigin, KeyPath
from shared.bitcoin.descriptors import DerivedOutput, Descriptor
from shared.bitcoin.errors import PsbtError
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.musig2 import SecretNonce, Session, generate_nonce
from shared.bitcoin.networks import Network
from shared.bitcoin.psbt import (
    EcdsaRequest,
    MusigRequest,
    Psbt,
    SchnorrRequest,
    add_nonces,
    add_partial_signatures,
    check_signatures,
    combine,
    complete_sessions,
    create,
    describe_input,
    describe_output,
    extract,
    finalise,
    input_description,
    output_description,
    serialise,
    set_spent,
    sign,
    spent_outputs,
)
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.integration.shared.bitcoin.psbt.parties import carried, engine_accepts

ACCOUNT = KeyPath.parse("86h/1h/0h")
ROOTS = tuple(ExtendedPrivateKey.of_seed(bytes([seed] * 32)) for seed in (1, 2, 3))


def xpub(signer: int) -> str:
    account = ROOTS[signer].derive(ACCOUNT).public
    origin = KeyOrigin(ROOTS[signer].fingerprint, ACCOUNT)
    return f"[{origin}]{account.serialise(Network.REGTEST)}"


A, B, C = (f"{xpub(signer)}/<0;1>/*" for signer in range(3))
MUSIG = f"musig({','.join(xpub(signer) for signer in range(3))})/<0;1>/*"
UNSPENDABLE = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0"


@dataclass(frozen=True)
class HdSigner:
    """Holds a master key and derives what a request's origin names."""

    root: ExtendedPrivateKey

    def key(self, origin: KeyOrigin) -> PrivateKey | None:
        if origin.fingerprint != self.root.fingerprint:
            return None
        return self.root.derive(origin.path).private_key

    def sign_ecdsa(self, request: EcdsaRequest) -> bytes | None:
        key = self.key(request.origin)
        return None if key is None else key.sign_ecdsa(request.digest)

    def sign_schnorr(self, request: SchnorrRequest) -> bytes | None:
        key = self.key(request.origin)
        if key is None:
            return None
        signing = key if request.tweak is None else key.with_even_y().tweaked(request.tweak)
        return signing.sign_schnorr(request.digest, bytes(32))


def wallet(text: str) -> Descriptor:
    return descriptors.parse(text, Network.REGTEST)


def spending(descriptor: Descriptor, sequence: int, lock_time: int) -> tuple[Psbt, DerivedOutput]:
    """A payment from output 5 with change to output 6, described for its signers."""
    spent, change = descriptor.at(5), descriptor.at(6, descriptor.branches - 1)
    funding = TxIn(OutPoint(bytes([7] * 32), 0))
    previous = Transaction(2, (funding,), (TxOut(90_000, spent.script_pubkey),))
    draft = Transaction(
        2,
        (TxIn(previous.outpoint(0), sequence=sequence),),
        (TxOut(50_000, bytes.fromhex("0014") + bytes(20)), TxOut(39_000, change.script_pubkey)),
        lock_time,
    )
    psbt = set_spent(create(draft), 0, previous.outputs[0], previous)
    psbt = describe_input(psbt, 0, input_description(spent))
    psbt = describe_output(psbt, 1, output_description(change))
    return carried(psbt), spent


CASES = {
    "wpkh": (f"wpkh({A})", (0,), 0xFFFFFFFD),
    "nested wpkh": (f"sh(wpkh({A}))", (0,), 0xFFFFFFFD),
    "sorted multisig": (f"wsh(sortedmulti(2,{A},{B},{C}))", (0, 2), 0xFFFFFFFD),
    "nested multisig": (f"sh(wsh(multi(2,{A},{B},{C})))", (1, 2), 0xFFFFFFFD),
    "recovery after 144 blocks": (f"wsh(or_d(pk({A}),and_v(v:pkh({B}),older(144))))", (1,), 144),
    "taproot key": (f"tr({A})", (0,), 0xFFFFFFFD),
    "taproot key with leaves": (f"tr({A},{{pk({B}),pk({C})}})", (0,), 0xFFFFFFFD),
    "taproot leaf": (f"tr({A},{{pk({B}),and_v(v:pk({C}),older(10))}})", (1,), 0xFFFFFFFD),
    "taproot leaf after 10 blocks": (f"tr({A},{{pk({B}),and_v(v:pk({C}),older(10))}})", (2,), 10),
    "key hash in a leaf": (f"tr({UNSPENDABLE},and_v(v:pkh({B}),pk({C})))", (1, 2), 0xFFFFFFFD),
    "two of three in a leaf": (f"tr({UNSPENDABLE},multi_a(2,{A},{B},{C}))", (0, 1), 0xFFFFFFFD),
}


@pytest.mark.parametrize("name", CASES)
def test_signers_find_their_keys_and_the_descriptor_satisfies(name: str) -> None:
    text, signers, sequence = CASES[name]
    psbt, spent = spending(wallet(text), sequence, 0)
    signed = combine([psbt, *(carried(sign(psbt, HdSigner(ROOTS[one]))) for one in signers)])
    check_signatures(signed)
    transaction = extract(carried(finalise(carried(signed), {0: spent})))
    assert engine_accepts(transaction, spent_outputs(psbt))
    with pytest.raises(PsbtError, match="not satisfied"):
        finalise(sign(psbt, HdSigner(ExtendedPrivateKey.of_seed(bytes(32)))), {0: spent})


@pytest.mark.parametrize("name", CASES)
def test_the_oracle_reads_what_a_descriptor_describes(name: str) -> None:
    text, _, sequence = CASES[name]
    psbt, _ = spending(wallet(text), sequence, 0)
    theirs = Oracle.parse(serialise(psbt))
    assert theirs.tx.id == psbt.unsigned.txid[::-1]


def test_a_time_lock_that_is_not_met_is_not_satisfied() -> None:
    text, _, _ = CASES["recovery after 144 blocks"]
    psbt, spent = spending(wallet(text), 143, 0)
    with pytest.raises(PsbtError, match="not satisfied"):
        finalise(sign(psbt, HdSigner(ROOTS[1])), {0: spent})


def test_change_of_another_wallet_cannot_be_described_as_own() -> None:
    psbt, _ = spending(wallet(CASES["taproot key with leaves"][0]), 0, 0)
    other = wallet(f"tr({B},{{pk({A}),pk({C})}})").at(6, 1)
    with pytest.raises(PsbtError, match="PSBT_OUT_TAP_INTERNAL_KEY"):
        describe_output(psbt, 1, output_description(other))
    own = psbt.outputs[1]
    assert own.tap_tree is not None
    assert [leaf.depth for leaf in own.tap_tree] == [1, 1]


@dataclass
class MusigHolder:
    """Keeps the secret nonces of its own participants between the rounds."""

    signer: HdSigner
    nonces: dict[bytes, SecretNonce] = field(default_factory=dict)

    def make_nonce(self, request: MusigRequest) -> bytes | None:
        key = None if request.origin is None else self.signer.key(request.origin)
        if key is None:
            return None
        session = request.session
        fresh = bytes([len(self.nonces) + 1]) * 16 + self.signer.root.fingerprint * 4
        nonce = generate_nonce(fresh, key, session.aggregate, session.message)
        self.nonces[session.place(request.participant)] = nonce
        return nonce.public_nonce

    def sign_part(self, request: MusigRequest, opened: Session) -> bytes | None:
        key = None if request.origin is None else self.signer.key(request.origin)
        if key is None:
            return None
        nonce = self.nonces.pop(request.session.place(request.participant))
        return opened.partial_sign(nonce, key)


@pytest.mark.parametrize(
    "text",
    [
        f"tr({MUSIG})",
        f"tr({MUSIG},{{pk({A}),and_v(v:pk({B}),older(10))}})",
        f"tr({UNSPENDABLE},pk({MUSIG}))",
        f"tr(musig({A},{B},{C}))",
        f"tr({UNSPENDABLE},{{pk({A}),pk(musig({A},{B}))}})",
    ],
)
def test_a_descriptors_aggregates_sign(text: str) -> None:
    psbt, spent = spending(wallet(text), 0xFFFFFFFD, 0)
    holders = [MusigHolder(HdSigner(root)) for root in ROOTS]
    with_nonces = carried(combine([carried(add_nonces(psbt, one)) for one in holders]))
    assert with_nonces.inputs[0].musig_nonces
    assert add_nonces(with_nonces, holders[0]) == with_nonces
    sides = [carried(add_partial_signatures(with_nonces, one)) for one in holders]
    assert complete_sessions(sides[0]) == sides[0]
    signed = carried(combine(sides))
    assert add_partial_signatures(signed, holders[0]) == signed
    done = carried(complete_sessions(signed))
    check_signatures(done)
    assert engine_accepts(extract(finalise(done, {0: spent})), spent_outputs(psbt))


def test_parts_wait_for_every_nonce() -> None:
    psbt, _ = spending(wallet(f"tr({MUSIG})"), 0xFFFFFFFD, 0)
    holder = MusigHolder(HdSigner(ROOTS[0]))
    alone = add_nonces(psbt, holder)
    assert len(alone.inputs[0].musig_nonces) == 1
    assert add_partial_signatures(alone, holder) == alone


def test_many_inputs_of_one_aggregate_sign_in_two_rounds() -> None:
    descriptor = wallet(f"tr({MUSIG},pk({A}))")
    outputs = [descriptor.at(index) for index in range(4)]
    previous = Transaction(
        2,
        (TxIn(OutPoint(bytes([7] * 32), 0)),),
        tuple(TxOut(10_000 + at, one.script_pubkey) for at, one in enumerate(outputs)),
    )
    spends = tuple(TxIn(previous.outpoint(at)) for at in range(4))
    psbt = create(Transaction(2, spends, (TxOut(30_000, bytes.fromhex("0014") + bytes(20)),)))
    for at, one in enumerate(outputs):
        psbt = describe_input(
            set_spent(psbt, at, previous.outputs[at], None), at, input_description(one)
        )
    holders = [MusigHolder(HdSigner(root)) for root in ROOTS]
    psbt = combine([add_nonces(psbt, one) for one in holders])
    psbt = combine([add_partial_signatures(psbt, one) for one in holders])
    spending_all = extract(finalise(complete_sessions(psbt), {}))
    assert engine_accepts(spending_all, previous.outputs)
    assert not any(holder.nonces for holder in holders)


def test_participants_are_not_asked_to_sign_alone() -> None:
    psbt, _ = spending(wallet(f"tr({UNSPENDABLE},pk({MUSIG}))"), 0xFFFFFFFD, 0)
    assert sign(psbt, HdSigner(ROOTS[0])) == psbt
