"""A parent with its child: packages, ephemeral dust, replacement by packages."""

import pytest

from shared.bitcoin.script import ANCHOR
from shared.bitcoin.transaction import Transaction, TxOut
from tests.unit.controller.chain.ledger import ANYONE, COIN_SAT, Ledger, outputs_of, spend

_FEE_SAT = 2_000


def _free_parent(ledger: Ledger, *, version: int = 3, outputs: int = 1) -> Transaction:
    return ledger.pay([ledger.give()], 0, version=version, outputs=outputs)


def _child(parent: Transaction, fee_sat: int = _FEE_SAT, version: int = 3) -> Transaction:
    total = sum(one.amount_sat for one in parent.outputs)
    return spend(outputs_of(parent), [TxOut(total - fee_sat, ANYONE)], version=version)


def test_a_free_truc_parent_enters_with_a_child_that_pays_for_both() -> None:
    ledger = Ledger()
    parent = _free_parent(ledger)
    assert ledger.reason(parent) == "min relay fee not met"
    assert ledger.submit_package(parent, _child(parent)).is_accepted
    assert len(ledger.mempool.pool) == 2


def test_a_child_that_pays_for_itself_only_brings_no_parent_in() -> None:
    ledger = Ledger()
    parent = _free_parent(ledger)
    needed = parent.vsize + _child(parent).vsize
    verdict = ledger.submit_package(parent, _child(parent, needed - 1))
    assert verdict.reason == "min relay fee not met"
    assert len(ledger.mempool.pool) == 0
    assert ledger.submit_package(parent, _child(parent, needed)).is_accepted


def test_a_parent_below_the_relay_feerate_that_is_not_truc_is_refused_with_any_child() -> None:
    ledger = Ledger()
    parent = _free_parent(ledger, version=2)
    verdict = ledger.submit_package(parent, _child(parent, 50_000, version=2))
    assert verdict.parent.reason == "min relay fee not met"
    assert len(ledger.mempool.pool) == 0


def test_a_parent_that_needs_no_help_enters_even_if_its_child_is_refused() -> None:
    ledger = Ledger()
    parent = ledger.pay([ledger.give()], 1_000, version=3)
    verdict = ledger.submit_package(parent, _child(parent, 5))
    assert verdict.parent.is_accepted
    assert verdict.child.reason == "min relay fee not met"
    assert parent.txid in ledger.mempool.pool


def test_a_package_that_is_in_the_mempool_is_accepted_again() -> None:
    ledger = Ledger()
    parent = _free_parent(ledger)
    child = _child(parent)
    assert ledger.submit_package(parent, child).is_accepted
    assert ledger.submit_package(parent, child).is_accepted


def test_a_test_of_a_package_changes_nothing() -> None:
    ledger = Ledger()
    parent = _free_parent(ledger)
    assert ledger.mempool.submit_package(parent, _child(parent), is_test=True).is_accepted
    assert len(ledger.mempool.pool) == 0


def test_a_child_of_somebody_else_is_no_package() -> None:
    ledger = Ledger()
    stranger = ledger.pay([ledger.give()], _FEE_SAT, version=3)
    parent = ledger.pay([ledger.give()], _FEE_SAT, version=3)
    verdict = ledger.submit_package(parent, stranger)
    assert verdict.reason == "package-not-child-with-parents"
    assert ledger.submit_package(parent, parent).reason == "package-contains-duplicates"
    assert len(ledger.mempool.pool) == 0


def test_a_child_that_spends_what_its_parent_spends_conflicts_with_it() -> None:
    ledger = Ledger()
    coin = ledger.give()
    parent = ledger.pay([coin], 0, version=3)
    child = spend([parent.outpoint(0), coin], [TxOut(COIN_SAT, ANYONE)], version=3)
    assert ledger.submit_package(parent, child).reason == "conflict-in-package"


def test_a_child_has_no_other_unconfirmed_parent_and_any_confirmed_coin() -> None:
    ledger = Ledger()
    other = ledger.pay([ledger.give()], 1_000)
    assert ledger.reason(other) is None
    parent = ledger.pay([ledger.give()], 1_000)
    paid = [TxOut(COIN_SAT, ANYONE)]
    verdict = ledger.submit_package(parent, spend([parent.outpoint(0), other.outpoint(0)], paid))
    assert verdict.reason == "package-not-child-with-unconfirmed-parents"
    assert parent.txid not in ledger.mempool.pool
    with_coin = spend([parent.outpoint(0), ledger.give()], paid)
    assert ledger.submit_package(parent, with_coin).is_accepted


def test_a_package_has_a_weight_of_at_most_404000() -> None:
    ledger = Ledger()
    parent = ledger.pay([ledger.give(10**9)], 10**6, outputs=1_200)
    fitting = ledger.pay_many(parent, 10**5, 1_100)
    assert parent.weight + fitting.weight <= 404_000
    assert ledger.submit_package(parent, fitting).is_accepted
    large = ledger.pay_many(parent, 10**5, 1_300)
    assert ledger.submit_package(parent, large).reason == "package-too-large"


def test_both_of_a_package_are_truc_or_neither() -> None:
    ledger = Ledger()
    parent = _free_parent(ledger)
    verdict = ledger.submit_package(parent, _child(parent, version=2))
    assert verdict.reason == "TRUC-violation"


def test_a_package_with_an_unconfirmed_grandparent_is_not_truc() -> None:
    ledger = Ledger()
    grandparent = ledger.pay([ledger.give()], 1_000, version=3)
    assert ledger.reason(grandparent) is None
    parent = ledger.pay(outputs_of(grandparent), 0, version=3)
    verdict = ledger.submit_package(parent, _child(parent))
    assert verdict.reason == "TRUC-violation"


def _with_dust(ledger: Ledger, fee_sat: int, dust_sat: int = 0) -> Transaction:
    rest = TxOut(COIN_SAT - fee_sat - dust_sat, ANYONE)
    return spend([ledger.give()], [rest, TxOut(dust_sat, ANCHOR)], version=3)


def _sweeping(parent: Transaction, *, with_anchor: bool) -> Transaction:
    swept = spend(
        outputs_of(parent)[: 2 if with_anchor else 1],
        [TxOut(parent.outputs[0].amount_sat - _FEE_SAT, ANYONE)],
        version=3,
    )
    return swept.with_witnesses([(bytes((0x51,)),), ()][: len(swept.inputs)])


def test_dust_enters_with_a_free_parent_and_the_child_that_spends_it() -> None:
    ledger = Ledger()
    parent = _with_dust(ledger, 0)
    assert ledger.submit_package(parent, _sweeping(parent, with_anchor=True)).is_accepted


def test_dust_that_the_child_leaves_is_refused() -> None:
    ledger = Ledger()
    parent = _with_dust(ledger, 0)
    verdict = ledger.submit_package(parent, _sweeping(parent, with_anchor=False))
    assert verdict.reason == "missing-ephemeral-spends"
    assert len(ledger.mempool.pool) == 0


def test_dust_of_a_parent_that_pays_is_refused() -> None:
    ledger = Ledger()
    parent = _with_dust(ledger, 1_000)
    assert ledger.reason(parent) == "dust"
    verdict = ledger.submit_package(parent, _sweeping(parent, with_anchor=True))
    assert verdict.reason == "dust"


def test_a_child_of_a_parent_in_the_mempool_spends_its_dust_too() -> None:
    ledger = Ledger()
    parent = _with_dust(ledger, 0)
    assert ledger.submit_package(parent, _sweeping(parent, with_anchor=True)).is_accepted
    thief = spend(
        [parent.outpoint(0)], [TxOut(parent.outputs[0].amount_sat - 9_000, ANYONE)], version=3
    )
    assert ledger.reason(thief) == "missing-ephemeral-spends"


def test_a_package_replaces_another_if_it_pays_more_by_the_relay_of_both() -> None:
    ledger = Ledger()
    coin = ledger.give()
    old = ledger.pay([coin], 0, version=3)
    old_child = _child(old, 3_000)
    assert ledger.submit_package(old, old_child).is_accepted
    new = ledger.pay([coin], 0, version=3, sequence=0)
    both = new.vsize + _child(new).vsize
    short = ledger.submit_package(new, _child(new, 3_000 + both - 1))
    assert short.reason == "package RBF failed: insufficient anti-DoS fees"
    assert old_child.txid in ledger.mempool.pool
    assert ledger.submit_package(new, _child(new, 3_000 + both)).is_accepted
    assert not {old.txid, old_child.txid} & {one.txid for one in ledger.mempool.pool}


def test_a_larger_package_improves_the_feerate_diagram_too() -> None:
    ledger = Ledger()
    coin = ledger.give()
    old = ledger.pay([coin], 0, version=3)
    assert ledger.submit_package(old, _child(old, 3_000)).is_accepted
    new = ledger.pay([coin], 0, version=3, outputs=2)
    short = ledger.submit_package(new, _child(new, 3_300))
    assert short.reason is not None
    assert short.reason.endswith("does not improve feerate diagram")
    assert ledger.submit_package(new, _child(new, 6_000)).is_accepted


def test_a_package_does_not_replace_a_cluster_of_three() -> None:
    ledger = Ledger()
    coin = ledger.give()
    old = ledger.pay([coin], 200, outputs=2)
    assert ledger.reason(old) is None
    for output in outputs_of(old):
        assert ledger.reason(ledger.pay([output], 200)) is None
    new = ledger.pay([coin], 0, version=3)
    verdict = ledger.submit_package(new, _child(new, 50_000))
    assert verdict.reason == "package RBF failed: conflicting cluster is too large"


def test_a_package_whose_child_does_not_raise_the_feerate_replaces_nothing() -> None:
    ledger = Ledger()
    coin = ledger.give()
    assert ledger.reason(ledger.pay([coin], 300)) is None
    new = ledger.pay([coin], 350, version=3)  # too little to replace by itself
    verdict = ledger.submit_package(new, _child(new, 200))
    assert verdict.reason == (
        "package RBF failed: package feerate is less than or equal to parent feerate"
    )


@pytest.mark.parametrize(
    ("length", "reason"),
    [
        (22, "package RBF failed: new transaction cannot have mempool ancestors"),
        (23, "package-mempool-limits"),
    ],
)
def test_a_package_counts_as_two_in_a_chain(length: int, reason: str) -> None:
    ledger = Ledger()
    end = ledger.give()
    for _ in range(length):
        link = ledger.pay([end], 300)
        assert ledger.reason(link) is None
        end = link.outpoint(0)
    assert ledger.reason(ledger.pay([end], 400)) is None
    parent = ledger.pay([end], 401)  # too little to replace by itself
    assert ledger.submit_package(parent, _child(parent, version=2)).reason == reason
