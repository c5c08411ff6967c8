"""Spends of one output, judged by Bitcoin Core's own script engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pbk
from pbk.script import PrecomputedTransactionData

from shared.bitcoin import script, taproot
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.sighash import SegwitV0Sighash, SighashType, TaprootSighash
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut

AMOUNT_SAT = 100_000
ANY_OUTPOINT = OutPoint(b"\x07" * 32, 1)
_AUX = bytes(32)


@dataclass(frozen=True, slots=True)
class Locks:
    """What a spend says about time: the input's sequence, the transaction's lock time."""

    sequence: int = 0xFFFFFFFE
    lock_time: int = 0


def spend(locks: Locks) -> Transaction:
    """A transaction without witness that spends one output of AMOUNT_SAT."""
    return Transaction(
        2,
        (TxIn(ANY_OUTPOINT, b"", locks.sequence),),
        (TxOut(AMOUNT_SAT - 1000, script.p2wpkh(b"\x02" + b"\x11" * 32)),),
        locks.lock_time,
    )


def accepts(unsigned: Transaction, script_pubkey: bytes, witness: tuple[bytes, ...]) -> bool:
    """Whether Core's engine accepts the witness, with every consensus rule on."""
    spent = pbk.ScriptPubkey(script_pubkey)
    signed = pbk.Transaction(unsigned.with_witnesses([witness]).serialise())
    outputs = [pbk.TransactionOutput(spent, AMOUNT_SAT)]
    return bool(
        spent.verify(
            AMOUNT_SAT,
            signed,
            PrecomputedTransactionData(signed, outputs),
            0,
            pbk.ScriptVerificationFlags.ALL,
        )
    )


Signer = Callable[[PrivateKey], bytes]


def p2wsh_signer(unsigned: Transaction, witness_script: bytes) -> Signer:
    """Signs with a key for a P2WSH input, everything covered."""
    digest = SegwitV0Sighash(unsigned).digest(0, witness_script, AMOUNT_SAT)
    return lambda key: key.sign_ecdsa(digest) + SighashType.ALL.suffix


def leaf_signer(unsigned: Transaction, output: taproot.TaprootOutput, leaf: taproot.Leaf) -> Signer:
    """Signs with a key for a spend through that leaf, everything covered."""
    prevouts = (TxOut(AMOUNT_SAT, output.script_pubkey),)
    digest = TaprootSighash(unsigned, prevouts).leaf_digest(0, leaf)
    return lambda key: key.sign_schnorr(digest, _AUX)


def signatures(sign: Signer, keys: Mapping[bytes, PrivateKey]) -> dict[bytes, bytes]:
    """The signature of every key, by its public key."""
    return {public: sign(key) for public, key in keys.items()}
