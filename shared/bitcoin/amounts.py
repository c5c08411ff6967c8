"""Amounts in satoshi."""

from decimal import Decimal, InvalidOperation

from shared.bitcoin.errors import BitcoinError

SATS_PER_BTC = 100_000_000
MAX_MONEY_SAT = 21_000_000 * SATS_PER_BTC
"""No amount, and no sum of a transaction's outputs, is above it (consensus, `MoneyRange`)."""

_BTC_DIGITS = 8


def check_amount_sat(field: str, amount_sat: int) -> int:
    """`amount_sat` as it is; BitcoinError where it is no whole number from 0 to all the money."""
    if type(amount_sat) is not int or not 0 <= amount_sat <= MAX_MONEY_SAT:
        raise BitcoinError(field, repr(amount_sat), f"whole satoshi from 0 to {MAX_MONEY_SAT}")
    return amount_sat


def btc_text(amount_sat: int) -> str:
    """The amount in BTC with all eight decimals, as people and Bitcoin Core write it.

    >>> btc_text(150_000)
    '0.00150000'
    """
    whole, part = divmod(abs(amount_sat), SATS_PER_BTC)
    return f"{'-' if amount_sat < 0 else ''}{whole}.{part:0{_BTC_DIGITS}d}"


def sat_of_btc(field: str, amount_btc: str | Decimal) -> int:
    """The satoshi of an amount in BTC; exact, so that more than eight decimals are refused.

    Floats are refused: they have lost the amount already.
    """
    allowed = "a decimal number of BTC from 0 to 21000000 with at most 8 decimals"
    if not isinstance(amount_btc, str | Decimal):
        raise BitcoinError(field, repr(amount_btc), allowed)
    try:
        amount_sat = Decimal(amount_btc) * SATS_PER_BTC
    except InvalidOperation:
        raise BitcoinError(field, repr(amount_btc), allowed) from None
    is_whole = amount_sat.is_finite() and amount_sat == amount_sat.to_integral_value()
    if not is_whole or not 0 <= amount_sat <= MAX_MONEY_SAT:
        raise BitcoinError(field, str(amount_btc), allowed)
    return int(amount_sat)
