"""Topologically restricted transactions (BIP431; Core's `src/policy/truc_policy.cpp`)."""

from controller.chain.mempool.policy import TRUC_VERSION, Policy, RefusedError
from controller.chain.mempool.pool import Entry, Pool
from shared.bitcoin.transaction import Transaction, display

_REASON = "TRUC-violation"


def check_single(
    transaction: Transaction, vsize: int, conflicts: frozenset[bytes], pool: Pool, policy: Policy
) -> bytes | None:
    """The sibling that it may evict under the rules of replacement, else None.

    Raises `RefusedError` for a breach that no eviction heals. `conflicts` are those that it
    replaces directly.
    """
    parents = pool.entries(pool.parents_of(transaction))
    _check_inheritance(transaction, parents)
    if transaction.version != TRUC_VERSION:
        return None
    if vsize > policy.truc_max_vsize:
        raise RefusedError(_REASON, f"version=3 tx is too big: {vsize} > {policy.truc_max_vsize}")
    if len(parents) > 1 or (parents and pool.ancestors(parents[0].txid)):
        raise RefusedError(_REASON, "would have too many ancestors")
    if not parents:
        return None
    _check_child_size(vsize, policy)
    return _sibling(parents[0], conflicts, pool)


def check_package(
    parent: Transaction, child: Transaction, vsizes: tuple[int, int], pool: Pool, policy: Policy
) -> None:
    """The rules within a package of one parent and one child, neither in the mempool yet.

    Sibling eviction is for single transactions only.
    """
    is_truc = TRUC_VERSION in {parent.version, child.version}
    if is_truc and parent.version != child.version:
        raise RefusedError(_REASON, _mixed(child, parent))
    if not is_truc:
        return
    for one, vsize in zip((parent, child), vsizes, strict=True):
        if vsize > policy.truc_max_vsize:
            raise RefusedError(
                _REASON, f"version=3 tx {one.hex} is too big: {vsize} > {policy.truc_max_vsize}"
            )
    if pool.parents_of(parent) or pool.parents_of(child):
        raise RefusedError(_REASON, f"tx {child.hex} would have too many ancestors")
    _check_child_size(vsizes[1], policy)


def _check_inheritance(transaction: Transaction, parents: list[Entry]) -> None:
    for parent in parents:
        versions = {transaction.version, parent.transaction.version}
        if TRUC_VERSION in versions and len(versions) > 1:
            raise RefusedError(_REASON, _mixed(transaction, parent.transaction))


def _mixed(child: Transaction, parent: Transaction) -> str:
    kinds = ("version=3", "non-version=3")
    own, other = kinds if child.version == TRUC_VERSION else kinds[::-1]
    return f"{own} tx {child.hex} cannot spend from {other} tx {parent.hex}"


def _check_child_size(vsize: int, policy: Policy) -> None:
    if vsize > policy.truc_child_max_vsize:
        raise RefusedError(
            _REASON, f"version=3 child tx is too big: {vsize} > {policy.truc_child_max_vsize}"
        )


def _sibling(parent: Entry, conflicts: frozenset[bytes], pool: Pool) -> bytes | None:
    """The parent's one other child, unless it is replaced anyway.

    More than one other descendant is possible only after a reorganisation, and then none is
    evicted.
    """
    others = pool.descendants(parent.txid)
    if not others or others & conflicts:
        return None
    if len(others) == 1 and len(pool.ancestors(next(iter(others)))) == 1:
        return next(iter(others))
    raise RefusedError(_REASON, f"tx {display(parent.txid)} would exceed descendant count limit")
