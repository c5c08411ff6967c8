"""Lock times, relative lock times and the maturity of coinbases."""

import pytest

from shared.bitcoin.transaction import Transaction, TxOut
from tests.unit.controller.chain.ledger import ANYONE, COIN_SAT, NOW_S, Ledger, spend

_TIP = 1_000
_BY_TIME = 1 << 22


def _locked(ledger: Ledger, lock_time: int, sequence: int) -> Transaction:
    paid = [TxOut(COIN_SAT - 1_000, ANYONE)]
    return spend([ledger.give()], paid, lock_time=lock_time, sequence=sequence)


@pytest.mark.parametrize(
    ("lock_time", "reason"),
    [(_TIP, None), (_TIP + 1, "non-final"), (NOW_S - 1, None), (NOW_S, "non-final")],
)
def test_a_lock_time_is_past_by_the_next_block(lock_time: int, reason: str | None) -> None:
    ledger = Ledger(_TIP)
    assert ledger.reason(_locked(ledger, lock_time, 0xFFFFFFFD)) == reason


def test_a_lock_time_counts_for_nothing_if_every_input_is_final() -> None:
    ledger = Ledger(_TIP)
    assert ledger.reason(_locked(ledger, _TIP + 100, 0xFFFFFFFF)) is None


def _relative(ledger: Ledger, sequence: int, height: int, version: int = 2) -> str | None:
    coin = ledger.give(height=height)
    return ledger.reason(ledger.pay([coin], 1_000, sequence=sequence, version=version))


@pytest.mark.parametrize(("blocks", "reason"), [(10, None), (11, "non-BIP68-final")])
def test_a_coin_of_the_tenth_block_down_is_ten_blocks_old(blocks: int, reason: str | None) -> None:
    assert _relative(Ledger(_TIP), blocks, _TIP + 1 - 10) == reason


@pytest.mark.parametrize(("units", "reason"), [(11, None), (12, "non-BIP68-final")])
def test_relative_time_counts_in_512_seconds_of_median_time(units: int, reason: str | None) -> None:
    # made at _TIP - 9: the block before has a median time 10 * 600 s before the tip's
    assert _relative(Ledger(_TIP), _BY_TIME | units, _TIP - 9) == reason


def test_relative_lock_times_mean_nothing_in_version_one_or_when_disabled() -> None:
    assert _relative(Ledger(_TIP), 500, _TIP, version=1) is None
    assert _relative(Ledger(_TIP), 1 << 31 | 500, _TIP) is None


def test_an_unconfirmed_coin_is_as_old_as_the_next_block() -> None:
    ledger = Ledger(_TIP)
    parent = ledger.pay([ledger.give()], 1_000)
    assert ledger.reason(parent) is None
    assert ledger.reason(ledger.pay([parent.outpoint(0)], 900, sequence=1)) == "non-BIP68-final"
    assert ledger.reason(ledger.pay([parent.outpoint(0)], 1_000, sequence=0)) is None


@pytest.mark.parametrize(
    ("depth", "reason"), [(100, None), (99, "bad-txns-premature-spend-of-coinbase")]
)
def test_a_coinbase_is_spent_in_the_hundredth_block_after_it(
    depth: int, reason: str | None
) -> None:
    ledger = Ledger(_TIP)
    coin = ledger.give(height=_TIP + 1 - depth, is_coinbase=True)
    assert ledger.reason(ledger.pay([coin], 1_000)) == reason
