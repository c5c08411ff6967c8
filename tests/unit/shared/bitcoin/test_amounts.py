"""Amounts are whole satoshi between nothing and all the money."""

from decimal import Decimal
from typing import Any

import pytest

from shared.bitcoin.amounts import MAX_MONEY_SAT, btc_text, check_amount_sat, sat_of_btc
from shared.bitcoin.errors import BitcoinError


@pytest.mark.parametrize("amount", [0, 1, MAX_MONEY_SAT])
def test_an_amount_within_the_money_supply_is_taken(amount: int) -> None:
    assert check_amount_sat("amount_sat", amount) == amount


@pytest.mark.parametrize("amount", [-1, MAX_MONEY_SAT + 1, 1.0, True, "1"])
def test_an_amount_outside_the_money_supply_or_of_another_type_is_refused(amount: Any) -> None:
    with pytest.raises(BitcoinError, match="amount_sat"):
        check_amount_sat("amount_sat", amount)


@pytest.mark.parametrize(
    ("amount_sat", "text"),
    [(0, "0.00000000"), (1, "0.00000001"), (150_000_000, "1.50000000"), (-5, "-0.00000005")],
)
def test_an_amount_is_shown_in_bitcoin_with_eight_decimals(amount_sat: int, text: str) -> None:
    assert btc_text(amount_sat) == text


def test_bitcoin_are_read_exactly() -> None:
    assert sat_of_btc("amount", "0.1") == 10_000_000
    assert sat_of_btc("amount", Decimal("20999999.99999999")) == MAX_MONEY_SAT - 1


@pytest.mark.parametrize(
    "amount", ["0.000000001", "-1", "21000001", "NaN", "Infinity", "one", "", 0.1]
)
def test_bitcoin_that_are_no_whole_satoshi_are_refused(amount: Any) -> None:
    with pytest.raises(BitcoinError, match="amount"):
        sat_of_btc("amount", amount)
