"""Replacement by fee (`doc/policy/mempool-replacements.md`, `src/policy/rbf.cpp` of Core 29.0).

No signalling is asked for (full RBF, the only behaviour since 29.0).
"""

from dataclasses import dataclass
from fractions import Fraction

from controller.chain.mempool.policy import (
    Policy,
    RefusedError,
    fee_sat_at,
    feerate_sat_per_kvb,
)
from controller.chain.mempool.pool import Pool
from shared.bitcoin.transaction import Transaction, display


@dataclass(frozen=True, slots=True)
class Weighed:
    """A transaction with its fee and virtual size."""

    transaction: Transaction
    vsize: int
    fee_sat: int


def direct_conflicts(transaction: Transaction, pool: Pool) -> frozenset[bytes]:
    """Those in the mempool that spend what it spends."""
    found = (pool.spender(one.outpoint) for one in transaction.inputs)
    return frozenset(one for one in found if one is not None)


def check(
    candidate: Weighed, conflicts: frozenset[bytes], pool: Pool, policy: Policy, suffix: str = ""
) -> frozenset[bytes]:
    """All that it evicts: `conflicts` and their descendants. Raises `RefusedError`.

    `suffix` is what Core adds to its reasons when a sibling is among the conflicts.
    """
    _check_pays_more(candidate, conflicts, pool, suffix)
    evicted = check_count(conflicts, pool, policy, f"too many potential replacements{suffix}")
    _check_no_new_unconfirmed(candidate.transaction, conflicts, pool, suffix)
    check_pays_for(
        candidate.fee_sat, candidate.vsize, evicted, pool, policy, f"insufficient fee{suffix}"
    )
    return evicted


def check_not_ancestor(transaction: Transaction, conflicts: frozenset[bytes], pool: Pool) -> None:
    """What it spends does not vanish by its own acceptance."""
    for one in pool.ancestors_of(transaction) & conflicts:
        raise RefusedError(
            "bad-txns-spends-conflicting-tx", f"spends conflicting transaction {display(one)}"
        )


def check_count(
    conflicts: frozenset[bytes], pool: Pool, policy: Policy, reason: str
) -> frozenset[bytes]:
    """Rule 5: at most 100, counted for each conflict anew. Returns all that would go."""
    count = sum(1 + len(pool.descendants(one)) for one in conflicts)
    if count > policy.max_replaced:
        raise RefusedError(reason, f"{count} > {policy.max_replaced}")
    return pool.with_descendants(conflicts)


def check_pays_for(
    fee_sat: int, vsize: int, evicted: frozenset[bytes], pool: Pool, policy: Policy, reason: str
) -> None:
    """Rules 3 and 4: no less fee than all that goes, and its own relay on top of that."""
    replaced_sat = sum(one.fee_sat for one in pool.entries(evicted))
    if fee_sat < replaced_sat:
        raise RefusedError(
            reason, f"less fees than conflicting txs; {fee_sat} < {replaced_sat}", is_fee=True
        )
    relay_sat = fee_sat_at(policy.incremental_relay_sat_per_kvb, vsize)
    if fee_sat - replaced_sat < relay_sat:
        raise RefusedError(
            reason,
            f"not enough additional fees to relay; {fee_sat - replaced_sat} < {relay_sat}",
            is_fee=True,
        )


def _check_pays_more(
    candidate: Weighed, conflicts: frozenset[bytes], pool: Pool, suffix: str
) -> None:
    """Rule 6: a higher feerate than each direct conflict has by itself."""
    feerate = feerate_sat_per_kvb(candidate.fee_sat, candidate.vsize)
    for entry in pool.entries(conflicts):
        old = feerate_sat_per_kvb(entry.fee_sat, entry.vsize)
        if feerate <= old:
            raise RefusedError(
                f"insufficient fee{suffix}",
                f"new feerate {feerate} sat/kvB <= old feerate {old} sat/kvB",
                is_fee=True,
            )


def _check_no_new_unconfirmed(
    transaction: Transaction, conflicts: frozenset[bytes], pool: Pool, suffix: str
) -> None:
    """Rule 2: unconfirmed inputs only from where a direct conflict had one."""
    allowed = {
        one.outpoint.txid for entry in pool.entries(conflicts) for one in entry.transaction.inputs
    }
    for index, one in enumerate(transaction.inputs):
        if one.outpoint.txid in pool and one.outpoint.txid not in allowed:
            raise RefusedError(
                f"replacement-adds-unconfirmed{suffix}", f"adds unconfirmed input, idx {index}"
            )


def check_package(
    parent: Weighed, child: Weighed, conflicts: frozenset[bytes], pool: Pool, policy: Policy
) -> frozenset[bytes]:
    """All that a package of one parent and one child evicts (Core's `PackageRBFChecks`)."""
    failed = "package RBF failed: "
    if pool.parents_of(parent.transaction) or pool.parents_of(child.transaction):
        raise RefusedError(f"{failed}new transaction cannot have mempool ancestors")
    evicted = check_count(conflicts, pool, policy, f"{failed}too many potential replacements")
    fee_sat, vsize = parent.fee_sat + child.fee_sat, parent.vsize + child.vsize
    check_pays_for(fee_sat, vsize, evicted, pool, policy, f"{failed}insufficient anti-DoS fees")
    own = feerate_sat_per_kvb(parent.fee_sat, parent.vsize)
    if feerate_sat_per_kvb(fee_sat, vsize) <= own:
        raise RefusedError(
            f"{failed}package feerate is less than or equal to parent feerate", f"{own} sat/kvB"
        )
    _check_diagram(Chunk(fee_sat, vsize), conflicts, evicted, pool)
    return evicted


@dataclass(frozen=True, slots=True)
class Chunk:
    """Transactions that would be mined together: their fees and virtual size."""

    fee_sat: int
    vsize: int

    @property
    def feerate(self) -> Fraction:
        """Satoshi for a vB."""
        return Fraction(self.fee_sat, self.vsize)


def improves(new: list[Chunk], old: list[Chunk]) -> bool:
    """Whether a miner of any amount of it earns no less by the new ones, and somewhere more."""
    sizes = sorted(set(_sizes(new)) | set(_sizes(old)))
    gains = [_earned(new, size) - _earned(old, size) for size in sizes]
    return all(gain >= 0 for gain in gains) and any(gain > 0 for gain in gains)


def _check_diagram(
    package: Chunk, conflicts: frozenset[bytes], evicted: frozenset[bytes], pool: Pool
) -> None:
    """The feerate diagram must improve; Core 29.0 draws it for clusters of at most two."""
    clusters = {pool.cluster(one) for one in conflicts}
    for cluster in clusters:
        if len(cluster) > 2:
            raise RefusedError(
                "package RBF failed: conflicting cluster is too large", f"{len(cluster)} > 2"
            )
    old = [chunk for cluster in clusters for chunk in _chunks(cluster, pool)]
    kept = [chunk for cluster in clusters for chunk in _chunks(cluster - evicted, pool)]
    if not improves([*kept, package], old):
        raise RefusedError(
            "package RBF failed: insufficient feerate: does not improve feerate diagram"
        )


def _chunks(cluster: frozenset[bytes], pool: Pool) -> list[Chunk]:
    """The chunks of one transaction, or of a parent with its child."""
    entries = sorted(pool.entries(cluster), key=lambda one: len(pool.ancestors(one.txid)))
    chunks = [Chunk(one.fee_sat, one.vsize) for one in entries]
    if len(chunks) == 2 and chunks[1].feerate > chunks[0].feerate:
        return [Chunk(sum(one.fee_sat for one in chunks), sum(one.vsize for one in chunks))]
    return chunks


def _ordered(chunks: list[Chunk]) -> list[Chunk]:
    return sorted(chunks, key=lambda one: one.feerate, reverse=True)


def _sizes(chunks: list[Chunk]) -> list[int]:
    total, sizes = 0, []
    for one in _ordered(chunks):
        total += one.vsize
        sizes.append(total)
    return sizes


def _earned(chunks: list[Chunk], size: int) -> Fraction:
    """The fees of the best `size` vB, the last chunk in proportion."""
    earned = Fraction(0)
    for one in _ordered(chunks):
        part = min(size, one.vsize)
        earned += one.feerate * part
        size -= part
    return earned
