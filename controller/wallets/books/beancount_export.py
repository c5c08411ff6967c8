"""The books as text for beancount (its language's syntax, version 2 and 3).

Every lot that has a price is held at cost, under a label of its own, so that what is relieved is
exactly what the books say. A lot whose price is unknown is held without a cost: no price is made
up. The account's sum is the wallet's balance.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime

from controller.wallets.books.exported import Export, Line, LotPart
from controller.wallets.books.lots import Origin
from controller.wallets.books.movements import Kind
from controller.wallets.books.prices import Price
from shared.bitcoin.amounts import btc_text

_INCOME = {
    Origin.MINED: "Income:Bitcoin:Mined",
    Origin.BOUGHT: "Equity:Bitcoin:Bought",
    Origin.RECEIVED: "Income:Bitcoin:Received",
    Origin.TRANSFERRED: "Equity:Bitcoin:Transfers",
}
_PAYMENTS, _FEES, _TRANSFERS = (
    "Expenses:Bitcoin:Payments",
    "Expenses:Bitcoin:Fees",
    "Equity:Bitcoin:Transfers",
)


def account(exported: Export) -> str:
    """The wallet's account: its names are of a-z, 0-9 and -, and begin with a capital there."""
    return f"Assets:Bitcoin:{_component(exported.organisation)}:{_component(exported.wallet)}"


def _component(name: str) -> str:
    return name[0].upper() + name[1:]


def beancount_text(exported: Export) -> str:
    """The whole file."""
    return "\n".join(_lines(exported)) + "\n"


def _lines(exported: Export) -> Iterator[str]:
    holding, figures = account(exported), exported.cut.statement
    yield f"; {exported.organisation}/{exported.wallet} up to block {exported.cut.to_height}"
    yield (
        f"; open period: opening {figures.opening_sat} + in {figures.in_sat} - out "
        f"{figures.out_sat} - fees {figures.fee_sat} = closing {figures.closing_sat} sat"
    )
    days = [_day(line.time_ms) for line in exported.lines]
    opened = min(days, default=date(2009, 1, 3)).isoformat()
    for name in sorted({holding, *_INCOME.values(), _PAYMENTS, _FEES, _TRANSFERS}):
        yield f"{opened} open {name}" + (" BTC" if name == holding else "")
    for line in exported.lines:
        yield ""
        yield from _transaction(line, holding)


def _transaction(line: Line, holding: str) -> Iterator[str]:
    what = "correction of" if line.corrects_id is not None else "entry"
    told = f"{line.kind.value}, {what} {line.corrects_id or line.id}"
    yield f'{_day(line.time_ms).isoformat()} * "{told}" ^{line.transaction[:16]}'
    yield f'  transaction: "{line.transaction}"'
    yield f"  height: {line.height}"
    if line.fee_included:
        yield '  note: "includes a share of the fee that is not known"'
    sign = 1 if line.kind is Kind.IN else -1
    for part in line.parts:
        yield f"  {holding}  {btc_text(sign * part.amount_sat)} BTC{_cost(part)}"
        if not isinstance(part.price, Price):
            yield f'    price-problem: "{_quoted(part.price.reason)}"'
    covered = sum(part.amount_sat for part in line.parts)
    if covered != line.amount_sat:
        yield f"  {holding}  {btc_text(sign * (line.amount_sat - covered))} BTC"
    yield f"  {_against(line)}"


def _cost(part: LotPart) -> str:
    if not isinstance(part.price, Price):
        return ""
    acquired = _day(part.acquired_ms).isoformat()
    price = part.price
    return f' {{{price.text} {price.currency}, {acquired}, "lot-{part.lot_id}"}}'


def _against(line: Line) -> str:
    if line.kind is Kind.FEE:
        return _FEES
    if line.other_wallet is not None:
        return _TRANSFERS
    if line.kind is Kind.OUT:
        return _PAYMENTS
    return _INCOME[line.parts[0].origin if line.parts else Origin.RECEIVED]


def _day(time_ms: int) -> date:
    return datetime.fromtimestamp(time_ms // 1_000, UTC).date()


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
