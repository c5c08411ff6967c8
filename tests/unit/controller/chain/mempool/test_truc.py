"""Topologically restricted transactions (BIP431)."""

import pytest

from shared.bitcoin.transaction import Transaction
from tests.unit.controller.chain.ledger import Ledger, outputs_of

_TRUC = "TRUC-violation"


def _parent(
    ledger: Ledger, *, version: int = 3, outputs: int = 2, fee_sat: int = 500
) -> Transaction:
    parent = ledger.pay([ledger.give()], fee_sat, version=version, outputs=outputs)
    assert ledger.reason(parent) is None
    return parent


@pytest.mark.parametrize(
    ("parent", "child", "reason"), [(3, 3, None), (2, 2, None), (2, 3, _TRUC), (3, 2, _TRUC)]
)
def test_unconfirmed_parent_and_child_are_both_truc_or_neither(
    parent: int, child: int, reason: str | None
) -> None:
    ledger = Ledger()
    made = _parent(ledger, version=parent)
    assert ledger.reason(ledger.pay(outputs_of(made), 500, version=child)) == reason


def test_a_truc_transaction_spends_confirmed_coins_of_any_version() -> None:
    ledger = Ledger()
    assert ledger.reason(ledger.pay([ledger.give(), ledger.give()], 500, version=3)) is None


def test_there_is_no_grandchild() -> None:
    ledger = Ledger()
    child = ledger.pay(outputs_of(_parent(ledger)), 500, version=3)
    assert ledger.reason(child) is None
    assert ledger.reason(ledger.pay(outputs_of(child), 500, version=3)) == _TRUC


def test_there_are_not_two_parents() -> None:
    ledger = Ledger()
    first, second = _parent(ledger), _parent(ledger)
    both = ledger.pay([first.outpoint(0), second.outpoint(0)], 500, version=3)
    assert ledger.reason(both) == _TRUC


@pytest.mark.parametrize(("outputs", "reason"), [(230, None), (233, _TRUC)])
def test_a_truc_transaction_has_at_most_10000_vb(outputs: int, reason: str | None) -> None:
    ledger = Ledger()
    large = ledger.pay([ledger.give()], 20_000, version=3, outputs=outputs)
    assert (large.vsize > 10_000) is (reason is not None)
    assert ledger.reason(large) == reason
    assert ledger.reason(ledger.pay([ledger.give()], 20_000, outputs=outputs)) is None


@pytest.mark.parametrize(("outputs", "reason"), [(21, None), (24, _TRUC)])
def test_a_truc_child_has_at_most_1000_vb(outputs: int, reason: str | None) -> None:
    ledger = Ledger()
    child = ledger.pay(outputs_of(_parent(ledger)), 3_000, version=3, outputs=outputs)
    assert (child.vsize > 1_000) is (reason is not None)
    assert ledger.reason(child) == reason


def test_a_second_child_evicts_its_sibling_if_it_pays_for_that() -> None:
    ledger = Ledger()
    parent = _parent(ledger)
    sibling = ledger.pay([parent.outpoint(0)], 1_000, version=3)
    assert ledger.reason(sibling) is None
    cheap = ledger.pay([parent.outpoint(1)], 1_050, version=3)
    assert ledger.reason(cheap) == "insufficient fee (including sibling eviction)"
    better = ledger.pay([parent.outpoint(1)], 2_000, version=3)
    assert ledger.reason(better) is None
    assert sibling.txid not in ledger.mempool.pool
    assert {parent.txid, better.txid} <= {one.txid for one in ledger.mempool.pool}


def test_a_child_that_replaces_its_sibling_is_no_second_child() -> None:
    ledger = Ledger()
    parent = _parent(ledger)
    assert ledger.reason(ledger.pay([parent.outpoint(0)], 1_000, version=3)) is None
    assert ledger.reason(ledger.pay(outputs_of(parent), 3_000, version=3)) is None


def test_no_sibling_is_evicted_where_a_reorganisation_left_two() -> None:
    ledger = Ledger()
    parent = ledger.pay([ledger.give()], 500, version=3, outputs=3)
    children = [ledger.pay_from(parent, vout, 500) for vout in range(2)]
    ledger.mempool.on_reorganised([parent, *children])
    assert len(ledger.mempool.pool) == 3
    third = ledger.pay_from(parent, 2, 50_000)
    assert ledger.reason(third) == _TRUC
