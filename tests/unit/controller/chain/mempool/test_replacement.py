"""Replacement by fee: each rule of Core 29.0 with what it lets through and what it refuses."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.chain.mempool.replacement import Chunk, improves
from tests.unit.controller.chain.ledger import Ledger, outputs_of

_V = 110  # vB, more than a payment of one input and one output


def test_a_replacement_needs_no_signal() -> None:
    ledger = Ledger()
    coin = ledger.give()
    first = ledger.pay([coin], 1_000, sequence=0xFFFFFFFF)
    assert ledger.reason(first) is None
    second = ledger.pay([coin], 2_000, sequence=0xFFFFFFFF)
    assert ledger.reason(second) is None
    assert first.txid not in ledger.mempool.pool
    assert second.txid in ledger.mempool.pool


def test_a_replacement_pays_its_own_relay_on_top_of_what_it_replaces() -> None:
    ledger = Ledger()
    coin = ledger.give()
    vsize = ledger.pay([coin], 0).vsize
    assert ledger.reason(ledger.pay([coin], 1_000)) is None
    assert ledger.reason(ledger.pay([coin], 1_000 + vsize - 1)) == "insufficient fee"
    assert ledger.reason(ledger.pay([coin], 1_000 + vsize)) is None


def test_a_replacement_with_a_lower_feerate_is_refused_though_it_pays_more() -> None:
    ledger = Ledger()
    coin, other = ledger.give(), ledger.give()
    assert ledger.reason(ledger.pay([coin], 2_000)) is None
    larger = ledger.pay([coin, other], 2_600)
    assert ledger.submit(larger).reason == "insufficient fee"
    assert ledger.reason(ledger.pay([coin, other], 4_000)) is None


def test_a_replacement_pays_for_the_descendants_that_go_too() -> None:
    ledger = Ledger()
    coin = ledger.give()
    parent = ledger.pay([coin], 1_000)
    assert ledger.reason(parent) is None
    child = ledger.pay(outputs_of(parent), 5_000)
    assert ledger.reason(child) is None
    assert ledger.reason(ledger.pay([coin], 6_000)) == "insufficient fee"
    assert ledger.reason(ledger.pay([coin], 6_000 + _V)) is None
    assert child.txid not in ledger.mempool.pool


def test_a_replacement_brings_no_new_unconfirmed_input() -> None:
    ledger = Ledger()
    coin = ledger.give()
    stranger = ledger.pay([ledger.give()], 1_000)
    first = ledger.pay([coin], 1_000)
    assert (ledger.reason(stranger), ledger.reason(first)) == (None, None)
    mixed = ledger.pay([coin, *outputs_of(stranger)], 5_000)
    assert ledger.reason(mixed) == "replacement-adds-unconfirmed"
    assert ledger.reason(ledger.pay([coin, ledger.give()], 5_000)) is None


def test_an_unconfirmed_input_that_the_replaced_had_may_stay() -> None:
    ledger = Ledger()
    parent = ledger.pay([ledger.give()], 1_000)
    assert ledger.reason(parent) is None
    assert ledger.reason(ledger.pay(outputs_of(parent), 1_000)) is None
    assert ledger.reason(ledger.pay(outputs_of(parent), 2_000)) is None


def test_a_replacement_that_spends_what_it_replaces_is_refused() -> None:
    ledger = Ledger()
    coin = ledger.give()
    first = ledger.pay([coin], 1_000)
    assert ledger.reason(first) is None
    both = ledger.pay([coin, *outputs_of(first)], 9_000)
    assert ledger.reason(both) == "bad-txns-spends-conflicting-tx"


@pytest.mark.parametrize(
    ("families", "reason"), [(4, None), (5, "too many potential replacements")]
)
def test_a_replacement_evicts_at_most_a_hundred(families: int, reason: str | None) -> None:
    ledger = Ledger()
    coins = [ledger.give() for _ in range(families)]
    for coin in coins:  # 25 each: a parent with 24 children
        parent = ledger.pay([coin], 2_000, outputs=24)
        assert ledger.reason(parent) is None
        for output in outputs_of(parent):
            assert ledger.reason(ledger.pay([output], _V)) is None
    assert len(ledger.mempool.pool) == 25 * families
    assert ledger.reason(ledger.pay(coins, 100_000)) == reason


_CHUNKS = st.lists(
    st.builds(Chunk, st.integers(0, 1_000), st.integers(1, 500)), min_size=1, max_size=4
)


@given(_CHUNKS, st.integers(1, 500))
def test_more_fee_in_the_best_chunk_improves_the_diagram_and_never_the_reverse(
    chunks: list[Chunk], extra_sat: int
) -> None:
    best = max(chunks, key=lambda one: one.feerate)
    better = [*chunks, Chunk(best.fee_sat + extra_sat, best.vsize)]
    better.remove(best)
    assert improves(better, chunks)
    assert not improves(chunks, better)
    assert not improves(chunks, chunks)


def test_a_diagram_that_is_lower_somewhere_is_no_improvement() -> None:
    old = [Chunk(100, 10), Chunk(10, 100)]
    new = [Chunk(500, 110)]  # more in all, less for the first ten
    assert Fraction(500, 110) < Fraction(100, 10)
    assert not improves(new, old)
