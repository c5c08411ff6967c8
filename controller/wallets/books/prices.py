"""What one bitcoin was worth, and who says so. Unknown is a reason, never zero."""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Protocol

from shared.errors import BadInputError

_CURRENCY = re.compile(r"[A-Z]{3,10}")
_MOST_DIGITS = 40
_MOST_SOURCE = 200


@dataclass(frozen=True, slots=True)
class Price:
    """Of one bitcoin: exact, in a currency (ISO 4217), from a source that can be looked up."""

    amount: Decimal
    currency: str
    source: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal):
            raise BadInputError("price", repr(self.amount), "a decimal number")
        exponent = self.amount.as_tuple().exponent
        is_plain = isinstance(exponent, int) and abs(exponent) <= _MOST_DIGITS
        if not is_plain or self.amount <= 0 or len(self.text) > _MOST_DIGITS:
            raise BadInputError("price", str(self.amount)[:80], "a decimal number above 0")
        if not _CURRENCY.fullmatch(self.currency):
            raise BadInputError("currency", repr(self.currency[:20]), "three to ten capitals")
        if not 1 <= len(self.source) <= _MOST_SOURCE or not self.source.isprintable():
            raise BadInputError("source", repr(self.source[:80]), "1 to 200 printable characters")

    @property
    def text(self) -> str:
        """The exact decimal, without an exponent."""
        return f"{self.amount:f}"


@dataclass(frozen=True, slots=True)
class UnknownPrice:
    """No price, and why."""

    reason: str

    def __post_init__(self) -> None:
        if not 1 <= len(self.reason) <= _MOST_SOURCE or not self.reason.isprintable():
            raise BadInputError("reason", repr(self.reason[:80]), "1 to 200 printable characters")


PriceOrReason = Price | UnknownPrice


class PriceSource(Protocol):
    """Where prices come from."""

    def price_at(self, time_ms: int) -> PriceOrReason:
        """The price of one bitcoin at that time."""
        ...


class NoPrices:
    """Where no source is configured."""

    def price_at(self, time_ms: int) -> PriceOrReason:
        """See `PriceSource`."""
        del time_ms
        return UnknownPrice("no source of prices is configured")


def price_of(amount: str, currency: str, source: str) -> Price:
    """The price that a text writes, else BadInputError."""
    try:
        decimal = Decimal(amount)
    except InvalidOperation:
        raise BadInputError("price", repr(amount[:80]), "a decimal number above 0") from None
    return Price(decimal, currency, source)
