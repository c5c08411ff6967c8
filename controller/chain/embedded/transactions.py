"""The embedded chain's mempool in motion: what enters, what blocks take out, what comes back."""

from collections.abc import Callable, Sequence

from controller.chain.blocks import Block
from controller.chain.engine import verify
from controller.chain.mempool.acceptance import (
    Accepted,
    judge,
    judge_again,
    judge_package,
    package_problem,
)
from controller.chain.mempool.policy import ChainView, Policy, Refused, Rules
from controller.chain.mempool.pool import Pool
from controller.chain.values import PackageState, PackageVerdict, Verdict
from shared.bitcoin.transaction import Transaction, TxOut

_VERIFIED_KEPT = 50_000


class Mempool:
    """Applies the decisions of `controller.chain.mempool` to one `Pool`. Not thread-safe."""

    def __init__(self, chain: ChainView, policy: Policy, now_s: Callable[[], int]) -> None:
        self.pool = Pool()
        self.policy = policy
        self._chain = chain
        self._now_s = now_s
        self._verified: set[bytes] = set()

    def submit(self, transaction: Transaction, *, is_test: bool) -> Verdict:
        """Lets it in, or says why not; a test changes nothing."""
        outcome = judge(transaction, self.pool, self._rules())
        if isinstance(outcome, Accepted) and not is_test:
            self._apply(self.pool, outcome)
        return _verdict(transaction, outcome)

    def submit_package(
        self, parent: Transaction, child: Transaction, *, is_test: bool
    ) -> PackageVerdict:
        """As `submitpackage`: each by itself if it can, together if the parent needs the child."""
        problem = package_problem(parent, child, self._chain)
        if problem is not None:
            refused = [Verdict(one.txid, one.wtxid, problem) for one in (parent, child)]
            return PackageVerdict(PackageState.REFUSED, refused[0], refused[1], problem)
        pool = self.pool.copy() if is_test else self.pool
        verdicts = self._submit_package(parent, child, pool)
        is_accepted = all(one.is_accepted for one in verdicts)
        state = PackageState.ACCEPTED if is_accepted else PackageState.REFUSED
        parent_verdict, child_verdict = verdicts
        is_orphan = child_verdict.reason == "bad-txns-inputs-missingorspent"
        reason = child_verdict.reason
        if not parent_verdict.is_accepted and (is_orphan or reason is None):
            reason = parent_verdict.reason
        return PackageVerdict(state, parent_verdict, child_verdict, reason)

    def _submit_package(
        self, parent: Transaction, child: Transaction, pool: Pool
    ) -> tuple[Verdict, Verdict]:
        rules = self._rules()
        alone = judge(parent, pool, rules)
        if isinstance(alone, Refused) and alone.is_fee:
            together = judge_package(parent, child, pool, rules)
            if isinstance(together, Accepted):
                self._apply(pool, together)
                return _verdict(parent, together), _verdict(child, together, at=1)
            return _verdict(parent, together[0] or alone), _verdict(child, together[1])
        if isinstance(alone, Accepted):
            self._apply(pool, alone)
        first = _in_pool_is_accepted(_verdict(parent, alone), pool)
        second = judge(child, pool, rules)
        if isinstance(second, Accepted):
            self._apply(pool, second)
        return first, _in_pool_is_accepted(_verdict(child, second), pool)

    def on_connected(self, block: Block) -> None:
        """Takes out what the block has, and what conflicts with it."""
        for transaction in block.transactions[1:]:
            if transaction.txid in self.pool:
                self.pool.remove(transaction.txid)
                continue
            for one in transaction.inputs:
                spender = self.pool.spender(one.outpoint)
                if spender is not None:
                    self._evict(self.pool, self.pool.with_descendants([spender]))

    def on_reorganised(self, disconnected: Sequence[Transaction]) -> None:
        """Lets in again what was in disconnected blocks, oldest first; drops what no longer holds.

        Called once the chain is at its new tip and `on_connected` was told of its blocks.
        """
        old, rules = self.pool, self._rules()
        self.pool = Pool()
        for transaction in [*disconnected, *(one.transaction for one in old)]:
            outcome = judge_again(transaction, self.pool, rules)
            if isinstance(outcome, Accepted):
                kept = old.get(transaction.txid)
                self.pool.add(outcome.entries[0] if kept is None else kept)

    def _rules(self) -> Rules:
        return Rules(self._chain, self.policy, self._verify, self._now_s())

    def _verify(self, transaction: Transaction, prevouts: Sequence[TxOut]) -> None:
        """A wtxid fixes the outputs spent too, so that what passed once passes again."""
        wtxid = transaction.wtxid
        if wtxid in self._verified:
            return
        verify(transaction, prevouts)
        if len(self._verified) >= _VERIFIED_KEPT:
            self._verified.clear()
        self._verified.add(wtxid)

    def _apply(self, pool: Pool, accepted: Accepted) -> None:
        self._evict(pool, accepted.evicted)
        for entry in accepted.entries:
            pool.add(entry)

    @staticmethod
    def _evict(pool: Pool, txids: frozenset[bytes]) -> None:
        for txid in txids:
            pool.remove(txid)


def _verdict(transaction: Transaction, outcome: Accepted | Refused, at: int = 0) -> Verdict:
    if isinstance(outcome, Accepted):
        entry = outcome.entries[at]
        return Verdict(entry.txid, entry.wtxid, vsize=entry.vsize, fee_sat=entry.fee_sat)
    return Verdict(
        transaction.txid,
        transaction.wtxid,
        outcome.reason,
        outcome.detail,
        outcome.vsize,
        outcome.fee_sat,
    )


def _in_pool_is_accepted(verdict: Verdict, pool: Pool) -> Verdict:
    """What is in the mempool already was accepted, by whatever witness (Core's AcceptPackage)."""
    entry = pool.get(verdict.txid)
    if entry is None:
        return verdict
    return Verdict(entry.txid, entry.wtxid, vsize=entry.vsize, fee_sat=entry.fee_sat)
