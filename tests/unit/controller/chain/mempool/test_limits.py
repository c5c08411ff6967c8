"""Limits on chains of unconfirmed transactions."""

import pytest

from shared.bitcoin.transaction import Transaction
from tests.unit.controller.chain.ledger import Ledger, outputs_of

_LONG = "too-long-mempool-chain"


def _chain(ledger: Ledger, length: int) -> Transaction:
    outputs = [ledger.give()]
    for _ in range(length):
        link = ledger.pay(outputs, 300)
        assert ledger.reason(link) is None
        outputs = outputs_of(link)
    return link


@pytest.mark.parametrize(("before", "reason"), [(24, None), (25, _LONG)])
def test_a_chain_has_at_most_25_transactions(before: int, reason: str | None) -> None:
    ledger = Ledger()
    last = _chain(ledger, before)
    assert ledger.reason(ledger.pay(outputs_of(last), 300)) == reason


def _family(ledger: Ledger, children: int) -> Transaction:
    parent = ledger.pay([ledger.give(10**8)], 3_000, outputs=30)
    assert ledger.reason(parent) is None
    for output in outputs_of(parent)[:children]:
        assert ledger.reason(ledger.pay([output], 300)) is None
    return parent


def test_a_26th_descendant_enters_only_through_the_carve_out() -> None:
    ledger = Ledger()
    parent = _family(ledger, 24)
    carved = ledger.pay([parent.outpoint(24)], 300)
    assert ledger.reason(carved) is None
    assert ledger.reason(ledger.pay([parent.outpoint(25)], 300)) == _LONG


def test_the_carve_out_is_for_one_ancestor_and_10000_vb() -> None:
    ledger = Ledger()
    parent = _family(ledger, 23)
    child = ledger.pay([parent.outpoint(23)], 300, outputs=2)
    assert ledger.reason(child) is None
    grandchild = ledger.pay([child.outpoint(0)], 300)
    assert ledger.reason(grandchild) == _LONG
    large = ledger.pay([parent.outpoint(24)], 14_000, outputs=240)
    assert large.vsize > 10_000
    assert ledger.reason(large) == _LONG


def test_ancestors_have_at_most_101000_vb_together() -> None:
    ledger = Ledger()
    first = ledger.pay([ledger.give(10**9)], 100_000, outputs=2_000)
    assert ledger.reason(first) is None
    fitting = ledger.pay([first.outpoint(0)], 15_000, outputs=320)
    assert first.vsize + fitting.vsize < 101_000
    assert ledger.submit(fitting).is_accepted
    large = ledger.pay([first.outpoint(1)], 20_000, outputs=400)
    assert first.vsize + large.vsize > 101_000
    assert ledger.reason(large) == _LONG


def test_a_replacement_has_the_room_of_what_it_replaces() -> None:
    ledger = Ledger()
    parent = _family(ledger, 24)
    assert ledger.reason(ledger.pay([parent.outpoint(0)], 900)) is None
