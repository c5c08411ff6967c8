"""Whether the mempool takes a transaction, or a parent with its child: Core's `MemPoolAccept`.

Pure: the same mempool, chain and transaction give the same answer, and nothing is changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.chain.blocks import MAX_BLOCK_WEIGHT, Coin
from controller.chain.errors import ScriptRefusedError
from controller.chain.mempool import (
    discouraged,
    ephemeral,
    limits,
    replacement,
    sigops,
    standardness,
    timing,
    truc,
)
from controller.chain.mempool.policy import (
    TRUC_VERSION,
    ChainView,
    Refused,
    RefusedError,
    Rules,
    fee_sat_at,
)
from controller.chain.mempool.pool import Entry, Pool
from controller.chain.mempool.replacement import Weighed
from shared.bitcoin.amounts import MAX_MONEY_SAT
from shared.bitcoin.transaction import WITNESS_SCALE_FACTOR, OutPoint, Transaction, TxOut

_MAX_PACKAGE_WEIGHT = 404_000
_SIBLING = " (including sibling eviction)"


@dataclass(frozen=True, slots=True)
class Accepted:
    """What enters, parents first, and the ids of what leaves for it."""

    entries: tuple[Entry, ...]
    evicted: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A transaction with the coins that it spends."""

    transaction: Transaction
    coins: tuple[Coin, ...]
    sigops_cost: int
    vsize: int
    fee_sat: int

    @property
    def prevouts(self) -> tuple[TxOut, ...]:
        return tuple(one.output for one in self.coins)

    @property
    def weighed(self) -> Weighed:
        return Weighed(self.transaction, self.vsize, self.fee_sat)


def judge(transaction: Transaction, pool: Pool, rules: Rules) -> Accepted | Refused:
    """Whether the mempool takes it by itself."""
    seen: _Seen | None = None
    try:
        _check_loose(transaction, rules)
        _check_new(transaction, pool)
        seen = _see(transaction, (), pool, rules)
        _check_spending(seen, rules)
        _check_own_feerate(seen, rules, in_package=False)
        evicted = _check_surroundings(seen, pool, rules)
        ephemeral.check_spends(transaction, (), pool, rules.policy)
        _check_room([seen], evicted, pool, rules)
        _check_scripts(seen, rules)
    except RefusedError as error:
        return _refused(transaction, seen, error)
    return Accepted((_entry(seen, rules),), evicted)


def judge_again(transaction: Transaction, pool: Pool, rules: Rules) -> Accepted | Refused:
    """Whether it stays after the chain changed: only what must hold, not what relays.

    Core's `MaybeUpdateMempoolForReorg` lets what a block had come back without limits.
    """
    seen: _Seen | None = None
    try:
        _check_loose(transaction, rules)
        _check_new(transaction, pool)
        _check_no_conflict(transaction, pool)
        seen = _see(transaction, (), pool, rules)
        _check_spending(seen, rules)
        ephemeral.check_free(transaction, seen.fee_sat, rules.policy)
        ephemeral.check_spends(transaction, (), pool, rules.policy)
        _check_scripts(seen, rules)
    except RefusedError as error:
        return _refused(transaction, seen, error)
    return Accepted((_entry(seen, rules),), frozenset())


def package_problem(parent: Transaction, child: Transaction, chain: ChainView) -> str | None:
    """Why these two are no package, whatever each is by itself; None if they are one.

    Core's `IsWellFormedPackage`, `IsChildWithParents` and, until 30.0, that each of the child's
    unconfirmed parents is in the package.
    """
    if parent.weight + child.weight > _MAX_PACKAGE_WEIGHT:
        return "package-too-large"
    if parent.txid == child.txid:
        return "package-contains-duplicates"
    if {one.outpoint for one in parent.inputs} & {one.outpoint for one in child.inputs}:
        return "conflict-in-package"
    if parent.txid not in {one.outpoint.txid for one in child.inputs}:
        return "package-not-child-with-parents"
    others = (one.outpoint for one in child.inputs if one.outpoint.txid != parent.txid)
    if any(chain.coin(one) is None for one in others):
        return "package-not-child-with-unconfirmed-parents"
    return None


def judge_package(
    parent: Transaction, child: Transaction, pool: Pool, rules: Rules
) -> Accepted | tuple[Refused | None, Refused]:
    """Whether the mempool takes both at once, by their common feerate; neither is in it yet.

    `package_problem` was asked before.
    A refusal comes as the parent's own, None if it has none, and the child's.
    """
    seen: list[_Seen] = []
    at = parent
    try:
        for at in (parent, child):
            _check_loose(at, rules)
            _check_new(at, pool)
            one = _see(at, (parent,) if at is child else (), pool, rules)
            seen.append(one)
            _check_spending(one, rules)
            _check_own_feerate(one, rules, in_package=True)
        evicted = _check_together(seen[0], seen[1], pool, rules)
        for one in seen:
            at = one.transaction
            _check_scripts(one, rules)
    except RefusedError as error:
        own = next((one for one in seen if one.transaction is at), None)
        refused = _refused(at, own, error)
        if at is parent:
            return refused, Refused(child.txid, child.wtxid, "bad-txns-inputs-missingorspent")
        return None, refused
    return Accepted(tuple(_entry(one, rules) for one in seen), evicted)


def _check_together(parent: _Seen, child: _Seen, pool: Pool, rules: Rules) -> frozenset[bytes]:
    policy = rules.policy
    both = (parent.transaction, child.transaction)
    vsizes = (parent.vsize, child.vsize)
    truc.check_package(*both, vsizes, pool, policy)
    fee_sat, vsize = parent.fee_sat + child.fee_sat, sum(vsizes)
    _check_feerate(fee_sat, vsize, rules)
    limits.check_package(*both, vsize, pool, policy)
    conflicts = replacement.direct_conflicts(both[0], pool)
    conflicts |= replacement.direct_conflicts(both[1], pool)
    evicted: frozenset[bytes] = frozenset()
    if conflicts:
        evicted = replacement.check_package(parent.weighed, child.weighed, conflicts, pool, policy)
    _check_room([parent, child], evicted, pool, rules)
    for one in both:
        ephemeral.check_spends(one, both, pool, policy)
    return evicted


def _check_loose(transaction: Transaction, rules: Rules) -> None:
    """Core's `CheckTransaction`, standard form, and a lock time that the next block meets."""
    if len(transaction.serialise_without_witness()) * WITNESS_SCALE_FACTOR > MAX_BLOCK_WEIGHT:
        raise RefusedError("bad-txns-oversize")
    if sum(one.amount_sat for one in transaction.outputs) > MAX_MONEY_SAT:
        raise RefusedError("bad-txns-txouttotal-toolarge")
    outpoints = [one.outpoint for one in transaction.inputs]
    if len(set(outpoints)) != len(outpoints):
        raise RefusedError("bad-txns-inputs-duplicate")
    if transaction.is_coinbase:
        raise RefusedError("coinbase")
    if any(one.is_null for one in outpoints):
        raise RefusedError("bad-txns-prevout-null")
    standardness.check_form(transaction, rules.policy)
    chain = rules.chain
    median_time_s = chain.median_time_s(chain.tip_height)
    if not timing.is_final(transaction, chain.tip_height + 1, median_time_s):
        raise RefusedError("non-final")


def _check_new(transaction: Transaction, pool: Pool) -> None:
    entry = pool.get(transaction.txid)
    if entry is not None:
        is_same = entry.wtxid == transaction.wtxid
        raise RefusedError(
            "txn-already-in-mempool" if is_same else "txn-same-nonwitness-data-in-mempool"
        )


def _check_no_conflict(transaction: Transaction, pool: Pool) -> None:
    if replacement.direct_conflicts(transaction, pool):
        raise RefusedError("txn-mempool-conflict")


def _see(
    transaction: Transaction, package: Sequence[Transaction], pool: Pool, rules: Rules
) -> _Seen:
    """Finds the coins spent, in the chain, the mempool or the package, and the fee they leave."""
    coins = tuple(_coin(one.outpoint, package, pool, rules) for one in transaction.inputs)
    if any(one is None for one in coins):
        known = (
            rules.chain.coin(OutPoint(transaction.txid, vout))
            for vout, _ in enumerate(transaction.outputs)
        )
        is_known = any(one is not None for one in known)
        raise RefusedError("txn-already-known" if is_known else "bad-txns-inputs-missingorspent")
    found = tuple(one for one in coins if one is not None)
    spent_sat = sum(one.output.amount_sat for one in found)
    made_sat = sum(one.amount_sat for one in transaction.outputs)
    cost = sigops.cost(transaction, [one.output for one in found])
    weight = max(transaction.weight, cost * rules.policy.bytes_per_sigop)
    vsize = -(-weight // WITNESS_SCALE_FACTOR)
    if spent_sat > MAX_MONEY_SAT:
        raise RefusedError("bad-txns-inputvalues-outofrange")
    if spent_sat < made_sat:
        raise RefusedError("bad-txns-in-belowout", f"value in {spent_sat} < value out {made_sat}")
    if cost > rules.policy.max_sigops_cost:
        raise RefusedError("bad-txns-too-many-sigops", str(cost))
    return _Seen(transaction, found, cost, vsize, spent_sat - made_sat)


def _coin(
    outpoint: OutPoint, package: Sequence[Transaction], pool: Pool, rules: Rules
) -> Coin | None:
    confirmed = rules.chain.coin(outpoint)
    if confirmed is not None:
        return confirmed
    entry = pool.get(outpoint.txid)
    made = next((one for one in package if one.txid == outpoint.txid), None)
    source = made if entry is None else entry.transaction
    if source is None or outpoint.vout >= len(source.outputs):
        return None
    return Coin(source.outputs[outpoint.vout], rules.chain.tip_height + 1, is_coinbase=False)


def _check_spending(seen: _Seen, rules: Rules) -> None:
    timing.check_timing(seen.transaction, seen.coins, rules.chain)
    standardness.check_inputs(seen.transaction, seen.prevouts, rules.policy)
    standardness.check_witnesses(seen.transaction, seen.prevouts, rules.policy)


def _check_own_feerate(seen: _Seen, rules: Rules, *, in_package: bool) -> None:
    """By itself each pays the relay feerate; in a package a TRUC transaction need not."""
    ephemeral.check_free(seen.transaction, seen.fee_sat, rules.policy)
    if seen.transaction.version == TRUC_VERSION and in_package:
        return
    try:
        _check_feerate(seen.fee_sat, seen.vsize, rules)
    except RefusedError as error:
        if seen.transaction.version == TRUC_VERSION:
            raise
        raise RefusedError(error.reason, error.detail) from None  # no package cures it


def _check_feerate(fee_sat: int, vsize: int, rules: Rules) -> None:
    wanted_sat = fee_sat_at(rules.policy.min_relay_sat_per_kvb, vsize)
    if fee_sat < wanted_sat:
        raise RefusedError("min relay fee not met", f"{fee_sat} < {wanted_sat}", is_fee=True)


def _check_surroundings(seen: _Seen, pool: Pool, rules: Rules) -> frozenset[bytes]:
    """TRUC, limits on chains, replacement; returns what is evicted."""
    transaction, policy = seen.transaction, rules.policy
    conflicts = replacement.direct_conflicts(transaction, pool)
    sibling = truc.check_single(transaction, seen.vsize, conflicts, pool, policy)
    suffix = "" if sibling is None else _SIBLING
    if sibling is not None:
        conflicts |= {sibling}
    limits.check_single(transaction, seen.vsize, conflicts, pool, policy)
    replacement.check_not_ancestor(transaction, conflicts, pool)
    if not conflicts:
        return frozenset()
    return replacement.check(seen.weighed, conflicts, pool, policy, suffix)


def _check_room(
    entering: Sequence[_Seen], evicted: frozenset[bytes], pool: Pool, rules: Rules
) -> None:
    freed = sum(one.weight for one in pool.entries(evicted))
    added = sum(one.transaction.weight for one in entering)
    if pool.weight - freed + added > rules.policy.max_pool_weight:
        raise RefusedError("mempool full", is_fee=True)


def _check_scripts(seen: _Seen, rules: Rules) -> None:
    discouraged.check(seen.transaction, seen.prevouts)
    try:
        rules.verify(seen.transaction, seen.prevouts)
    except ScriptRefusedError as error:
        detail = f"input {error.index}: {error.problem}"
        raise RefusedError("mandatory-script-verify-flag-failed", detail) from error


def _entry(seen: _Seen, rules: Rules) -> Entry:
    transaction = seen.transaction
    return Entry(
        transaction=transaction,
        wtxid=transaction.wtxid,
        weight=transaction.weight,
        sigops_cost=seen.sigops_cost,
        vsize=seen.vsize,
        fee_sat=seen.fee_sat,
        time_s=rules.now_s,
        height=rules.chain.tip_height,
    )


def _refused(transaction: Transaction, seen: _Seen | None, error: RefusedError) -> Refused:
    return Refused(
        transaction.txid,
        transaction.wtxid,
        error.reason,
        error.detail,
        error.is_fee,
        None if seen is None else seen.vsize,
        None if seen is None else seen.fee_sat,
    )
