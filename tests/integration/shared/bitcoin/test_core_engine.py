"""What the core types build and sign is accepted by Bitcoin Core's own engine, and nothing else."""

import pytest
from pbk.script import PrecomputedTransactionData, ScriptPubkey, ScriptVerificationFlags
from pbk.transaction import Transaction as EngineTransaction
from pbk.transaction import TransactionOutput

from shared.bitcoin import script as scripts
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.script import Op
from shared.bitcoin.sighash import SegwitV0Sighash, SighashType, TaprootSighash, key_hash_code
from shared.bitcoin.taproot import UNSPENDABLE_KEY, Leaf, TaprootOutput, Tree
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut

KEYS = [PrivateKey(bytes((byte,)) * 32) for byte in (1, 2, 3)]
AUX = bytes(32)
Stack = tuple[bytes, ...]


def spending(*spent: bytes) -> tuple[Transaction, tuple[TxOut, ...]]:
    """A transaction that spends one output of each script, and those outputs."""
    prevouts = tuple(TxOut(10_000 + index, one) for index, one in enumerate(spent))
    inputs = tuple(TxIn(OutPoint(b"\x07" * 32, index)) for index in range(len(spent)))
    outputs = tuple(TxOut(9_000, scripts.p2wpkh(KEYS[2].public_key)) for _ in spent)
    return Transaction(2, inputs, outputs), prevouts


def is_accepted(transaction: Transaction, prevouts: tuple[TxOut, ...]) -> bool:
    """Whether Core's engine accepts every input."""
    engine = EngineTransaction(transaction.serialise())
    spent = [TransactionOutput(ScriptPubkey(o.script_pubkey), o.amount_sat) for o in prevouts]
    precomputed = PrecomputedTransactionData(engine, spent)
    return all(
        ScriptPubkey(one.script_pubkey).verify(
            one.amount_sat, engine, precomputed, index, ScriptVerificationFlags.ALL
        )
        for index, one in enumerate(prevouts)
    )


def one_bit_changed(stack: Stack) -> Stack:
    """The stack with the longest element's middle bit changed."""
    longest = max(range(len(stack)), key=lambda at: len(stack[at]))
    changed = bytearray(stack[longest])
    changed[len(changed) // 2] ^= 1
    return (*stack[:longest], bytes(changed), *stack[longest + 1 :])


def check(transaction: Transaction, prevouts: tuple[TxOut, ...], witnesses: list[Stack]) -> None:
    """The engine accepts it, and refuses it with a bit of any witness or an amount changed."""
    signed = transaction.with_witnesses(witnesses)
    assert is_accepted(signed, prevouts)
    for index, stack in enumerate(witnesses):
        others = [*witnesses[:index], one_bit_changed(stack), *witnesses[index + 1 :]]
        assert not is_accepted(transaction.with_witnesses(others), prevouts)
    cheaper = tuple(TxOut(one.amount_sat - 1, one.script_pubkey) for one in prevouts)
    assert not is_accepted(signed, cheaper)


every_type = pytest.mark.parametrize("sighash_type", list(SighashType))
every_old_type = pytest.mark.parametrize("sighash_type", [one for one in SighashType if one])


@every_old_type
def test_a_key_hash_is_spent(sighash_type: SighashType) -> None:
    spent = [scripts.p2wpkh(key.public_key) for key in KEYS]
    transaction, prevouts = spending(*spent)
    sighash = SegwitV0Sighash(transaction)
    witnesses: list[Stack] = []
    for index, (key, prevout) in enumerate(zip(KEYS, prevouts, strict=True)):
        code = key_hash_code(prevout.script_pubkey[2:])
        digest = sighash.digest(index, code, prevout.amount_sat, sighash_type)
        witnesses.append((key.sign_ecdsa(digest) + sighash_type.suffix, key.public_key))
    check(transaction, prevouts, witnesses)


@every_old_type
def test_two_of_three_keys_spend_a_script_hash(sighash_type: SighashType) -> None:
    code = scripts.script(2, *(key.public_key for key in KEYS), 3, Op.CHECKMULTISIG)
    transaction, prevouts = spending(scripts.p2wsh(code))
    digest = SegwitV0Sighash(transaction).digest(0, code, prevouts[0].amount_sat, sighash_type)
    signatures = [key.sign_ecdsa(digest) + sighash_type.suffix for key in KEYS[1:]]
    check(transaction, prevouts, [(b"", *signatures, code)])
    one_short = transaction.with_witnesses([(b"", b"", signatures[0], code)])
    assert not is_accepted(one_short, prevouts)


@every_type
def test_output_keys_spend_with_and_without_a_tree(sighash_type: SighashType) -> None:
    tree = (Leaf(b"\x51"), (Leaf(b"\x52", 0xC2), Leaf(b"\x53")))
    taproots = [
        TaprootOutput(KEYS[0].x_only),
        TaprootOutput(KEYS[1].x_only, tree),
        TaprootOutput(KEYS[2].x_only, Leaf(b"\x51")),
    ]
    transaction, prevouts = spending(*(one.script_pubkey for one in taproots))
    sighash = TaprootSighash(transaction, prevouts)
    witnesses: list[Stack] = []
    for index, (key, output) in enumerate(zip(KEYS, taproots, strict=True)):
        signature = output.tweaked_private(key).sign_schnorr(
            sighash.digest(index, sighash_type), AUX
        )
        witnesses.append((signature + sighash_type.suffix,))
    check(transaction, prevouts, witnesses)


@every_type
def test_every_leaf_of_a_tree_is_spent(sighash_type: SighashType) -> None:
    leaves = [Leaf(scripts.script(key.x_only, Op.CHECKSIG)) for key in KEYS]
    output = TaprootOutput(UNSPENDABLE_KEY, (leaves[0], (leaves[1], leaves[2])))
    transaction, prevouts = spending(*[output.script_pubkey] * 3)
    sighash = TaprootSighash(transaction, prevouts)
    witnesses: list[Stack] = []
    for index, (key, leaf) in enumerate(zip(KEYS, leaves, strict=True)):
        digest = sighash.leaf_digest(index, leaf, sighash_type)
        signature = key.sign_schnorr(digest, AUX) + sighash_type.suffix
        witnesses.append((signature, leaf.script, output.control_block(leaf)))
    check(transaction, prevouts, witnesses)


def test_the_position_of_the_last_code_separator_is_signed() -> None:
    x_only = KEYS[0].x_only
    leaf = Leaf(
        scripts.script(x_only, Op.CHECKSIGVERIFY, Op.CODESEPARATOR, KEYS[1].x_only, Op.CHECKSIG)
    )
    output = TaprootOutput(KEYS[2].x_only, leaf)
    transaction, prevouts = spending(output.script_pubkey)
    sighash = TaprootSighash(transaction, prevouts)
    first = KEYS[0].sign_schnorr(sighash.leaf_digest(0, leaf), AUX)
    second = KEYS[1].sign_schnorr(sighash.leaf_digest(0, leaf, code_separator=2), AUX)
    block = output.control_block(leaf)
    check(transaction, prevouts, [(second, first, leaf.script, block)])
    elsewhere = KEYS[1].sign_schnorr(sighash.leaf_digest(0, leaf, code_separator=1), AUX)
    wrong = transaction.with_witnesses([(elsewhere, first, leaf.script, block)])
    assert not is_accepted(wrong, prevouts)


def test_a_threshold_of_checksigadd_is_spent_by_enough_keys() -> None:
    counted = [item for key in KEYS[1:] for item in (key.x_only, Op.CHECKSIGADD)]
    leaf = Leaf(scripts.script(KEYS[0].x_only, Op.CHECKSIG, *counted, 2, Op.NUMEQUAL))
    output = TaprootOutput(UNSPENDABLE_KEY, leaf)
    transaction, prevouts = spending(output.script_pubkey)
    digest = TaprootSighash(transaction, prevouts).leaf_digest(0, leaf)
    signatures = [key.sign_schnorr(digest, AUX) for key in KEYS]
    ending = (leaf.script, output.control_block(leaf))
    check(transaction, prevouts, [(signatures[2], b"", signatures[0], *ending)])
    one_short = transaction.with_witnesses([(b"", b"", signatures[0], *ending)])
    assert not is_accepted(one_short, prevouts)


def test_a_chain_of_128_branches_is_spent_at_its_end() -> None:
    deepest = Leaf(scripts.script(KEYS[0].x_only, Op.CHECKSIG))
    tree: Tree = deepest
    for level in range(128):
        tree = (tree, Leaf(scripts.number(level)))
    output = TaprootOutput(KEYS[1].x_only, tree)
    transaction, prevouts = spending(output.script_pubkey)
    digest = TaprootSighash(transaction, prevouts).leaf_digest(0, deepest)
    stack = (KEYS[0].sign_schnorr(digest, AUX), deepest.script, output.control_block(deepest))
    check(transaction, prevouts, [stack])
