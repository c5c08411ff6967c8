"""The books as CSV (RFC 4180), for a spreadsheet, which runs none of it.

A text that a spreadsheet would take for a formula gets an apostrophe before it. Amounts are whole
satoshi; prices are exact decimals with their currency in a column of its own.
"""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime

from controller.wallets.books.exported import Export, Line, LotPart
from controller.wallets.books.prices import Price

HEADER = (
    "organisation",
    "wallet",
    "entry",
    "kind",
    "amount_sat",
    "booked_height",
    "height",
    "block",
    "time",
    "transaction",
    "other_wallet",
    "fee_included",
    "corrects_entry",
    "reservation",
    "lot",
    "lot_amount_sat",
    "lot_acquired",
    "lot_origin",
    "lot_price",
    "lot_currency",
    "lot_price_source",
    "lot_price_problem",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def neutral(text: str) -> str:
    """The text so that no spreadsheet computes it.

    >>> neutral("=1+1")
    "'=1+1"
    """
    return f"'{text}" if text.lstrip(" \u00a0").startswith(_FORMULA) else text


def csv_text(exported: Export) -> str:
    """One row for each entry and lot; an entry of several lots has several rows, whose
    `lot_amount_sat` sum up to its amount."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(HEADER)
    for line in exported.lines:
        for part in line.parts or (None,):
            writer.writerow(_cells(exported, line, part))
    return buffer.getvalue()


def _cells(exported: Export, line: Line, part: LotPart | None) -> Iterator[str]:
    yield neutral(exported.organisation)
    yield neutral(exported.wallet)
    yield str(line.id)
    yield line.kind.value
    yield str(line.amount_sat)
    yield str(line.booked_height)
    yield str(line.height)
    yield line.block
    yield _time(line.time_ms)
    yield line.transaction
    yield neutral(line.other_wallet or "")
    yield "yes" if line.fee_included else "no"
    yield "" if line.corrects_id is None else str(line.corrects_id)
    yield neutral(line.reservation_id or "")
    if part is None:
        yield from [""] * 8
        return
    yield str(part.lot_id)
    yield str(part.amount_sat)
    yield _time(part.acquired_ms)
    yield part.origin.value
    if isinstance(part.price, Price):
        yield from (part.price.text, part.price.currency, neutral(part.price.source), "")
    else:
        yield from ("", "", "", neutral(part.price.reason))


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
