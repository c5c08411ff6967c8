"""Limits on chains of unconfirmed transactions (Core 29.0's `CalculateMemPoolAncestors`)."""

from dataclasses import dataclass

from controller.chain.mempool.policy import TRUC_VERSION, Policy, RefusedError
from controller.chain.mempool.pool import Pool
from shared.bitcoin.transaction import Transaction


@dataclass(frozen=True, slots=True)
class _Limits:
    ancestors: int
    ancestor_vsize: int
    descendants: int
    descendant_vsize: int


def check_single(
    transaction: Transaction, vsize: int, conflicts: frozenset[bytes], pool: Pool, policy: Policy
) -> None:
    """At most 25 ancestors and descendants of 101,000 vB, each counted with the transaction.

    One replaced transaction makes room for itself; one small child of a single parent is let
    through beyond the limit (the CPFP carve-out).
    """
    limits = _Limits(
        policy.max_ancestors,
        policy.max_ancestor_vsize,
        policy.max_descendants,
        policy.max_descendant_vsize,
    )
    if len(conflicts) == 1:
        replaced = pool.entries(pool.with_descendants(conflicts))
        limits = _Limits(
            limits.ancestors,
            limits.ancestor_vsize,
            limits.descendants + 1,
            limits.descendant_vsize + sum(one.vsize for one in replaced),
        )
    ancestors = pool.ancestors_of(transaction)
    problem = _problem(ancestors, 1, vsize, limits, pool)
    if problem is None:
        return
    extra = policy.extra_descendant_vsize
    carve_out = _Limits(
        2, limits.ancestor_vsize, limits.descendants + 1, limits.descendant_vsize + extra
    )
    is_carved = vsize <= extra and transaction.version != TRUC_VERSION
    if not is_carved or _problem(ancestors, 1, vsize, carve_out, pool) is not None:
        raise RefusedError("too-long-mempool-chain", problem)


def check_package(
    parent: Transaction, child: Transaction, vsize: int, pool: Pool, policy: Policy
) -> None:
    """The same for both together, as if each ancestor were both's; no carve-out."""
    ancestors = pool.ancestors_of(parent) | pool.ancestors_of(child)
    limits = _Limits(
        policy.max_ancestors,
        policy.max_ancestor_vsize,
        policy.max_descendants,
        policy.max_descendant_vsize,
    )
    problem = _problem(ancestors, 2, vsize, limits, pool)
    if problem is not None:
        raise RefusedError("package-mempool-limits", problem)


def _problem(
    ancestors: frozenset[bytes], added: int, vsize: int, limits: _Limits, pool: Pool
) -> str | None:
    if len(ancestors) + added > limits.ancestors:
        return f"too many unconfirmed ancestors [limit: {limits.ancestors}]"
    if sum(one.vsize for one in pool.entries(ancestors)) + vsize > limits.ancestor_vsize:
        return f"exceeds ancestor size limit [limit: {limits.ancestor_vsize}]"
    for entry in pool.entries(ancestors):
        descendants = pool.entries(pool.descendants(entry.txid))
        if len(descendants) + 1 + added > limits.descendants:
            return f"too many descendants of {entry.transaction.hex} [limit: {limits.descendants}]"
        if sum(one.vsize for one in descendants) + entry.vsize + vsize > limits.descendant_vsize:
            return f"exceeds descendant size limit [limit: {limits.descendant_vsize}]"
    return None
