"""A chain that is nothing but coins and times, with the real mempool rules over it."""

import itertools
from collections.abc import Sequence

from controller.chain.blocks import Coin
from controller.chain.embedded.transactions import Mempool
from controller.chain.mempool.policy import CORE_29_0, Policy
from controller.chain.values import PackageVerdict, Verdict
from shared.bitcoin.hashes import sha256
from shared.bitcoin.script import p2wsh
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut

TRUE = bytes((0x51,))
ANYONE = p2wsh(TRUE)
"""An output script that anyone may spend with the witness (TRUE,); standard."""

NOW_S = 1_700_000_000
COIN_SAT = 1_000_000


class Ledger:
    """Unspent coins at chosen heights; block times are ten minutes apart."""

    def __init__(self, tip_height: int = 1_000, policy: Policy = CORE_29_0) -> None:
        self.tip_height = tip_height
        self.coins: dict[OutPoint, Coin] = {}
        self.mempool = Mempool(self, policy, lambda: NOW_S)
        self._numbers = itertools.count()

    def coin(self, outpoint: OutPoint) -> Coin | None:
        return self.coins.get(outpoint)

    def median_time_s(self, height: int) -> int:
        return NOW_S + (height - self.tip_height) * 600

    def give(
        self,
        amount_sat: int = COIN_SAT,
        script_pubkey: bytes = ANYONE,
        *,
        height: int = 1,
        is_coinbase: bool = False,
    ) -> OutPoint:
        """A new coin."""
        outpoint = OutPoint(sha256(b"coin %d" % next(self._numbers)), 0)
        self.coins[outpoint] = Coin(TxOut(amount_sat, script_pubkey), height, is_coinbase)
        return outpoint

    def submit(self, transaction: Transaction) -> Verdict:
        return self.mempool.submit(transaction, is_test=False)

    def reason(self, transaction: Transaction) -> str | None:
        """The reject reason, None if it was let in."""
        return self.submit(transaction).reason

    def submit_package(self, parent: Transaction, child: Transaction) -> PackageVerdict:
        return self.mempool.submit_package(parent, child, is_test=False)

    def amount_sat(self, outpoint: OutPoint) -> int:
        coin = self.coins.get(outpoint)
        if coin is not None:
            return coin.output.amount_sat
        entry = self.mempool.pool.get(outpoint.txid)
        assert entry is not None
        return entry.transaction.outputs[outpoint.vout].amount_sat

    def pay(
        self,
        inputs: Sequence[OutPoint],
        fee_sat: int,
        *,
        version: int = 2,
        outputs: int = 1,
        sequence: int = 0xFFFFFFFD,
    ) -> Transaction:
        """Spends these to `outputs` equal outputs that anyone may spend; the fee is at least it."""
        total = sum(map(self.amount_sat, inputs)) - fee_sat
        made = [TxOut(total // outputs, ANYONE)] * (outputs - 1)
        made.append(TxOut(total - sum(one.amount_sat for one in made), ANYONE))
        return spend(inputs, made, version=version, sequence=sequence)

    def pay_from(self, parent: Transaction, vout: int, fee_sat: int) -> Transaction:
        """Spends one output of a parent that need not be known; version 3."""
        paid = TxOut(parent.outputs[vout].amount_sat - fee_sat, ANYONE)
        return spend([parent.outpoint(vout)], [paid], version=3)

    def pay_many(self, parent: Transaction, fee_sat: int, outputs: int) -> Transaction:
        """Spends a parent's first output, which need not be known, to so many outputs."""
        each = (parent.outputs[0].amount_sat - fee_sat) // outputs
        return spend([parent.outpoint(0)], [TxOut(each, ANYONE)] * outputs)


def spend(
    inputs: Sequence[OutPoint],
    outputs: Sequence[TxOut],
    *,
    version: int = 2,
    sequence: int = 0xFFFFFFFD,
    lock_time: int = 0,
    witness: tuple[bytes, ...] = (TRUE,),
    script_sig: bytes = b"",
) -> Transaction:
    """A transaction whose inputs all have the same witness and scriptSig."""
    made = tuple(TxIn(one, script_sig, sequence, witness) for one in inputs)
    return Transaction(version, made, tuple(outputs), lock_time)


def outputs_of(transaction: Transaction) -> list[OutPoint]:
    return [transaction.outpoint(vout) for vout in range(len(transaction.outputs))]
