"""Lots, movements, prices, exports: without a database."""

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import ConflictError
from controller.wallets.books.beancount_export import beancount_text
from controller.wallets.books.csv_export import HEADER, csv_text, neutral
from controller.wallets.books.exported import Export, Line, LotPart
from controller.wallets.books.lots import Lot, Method, Origin, Relief, ShortOfLotsError, relieve
from controller.wallets.books.movements import (
    Flows,
    Kind,
    Received,
    Statement,
    movements,
)
from controller.wallets.books.periods import Cut
from controller.wallets.books.prices import Price, PriceOrReason, UnknownPrice, price_of
from shared.errors import BadInputError
from tests.wallet_coins import outpoint

UNKNOWN = UnknownPrice("the source was down")


def usd(amount: str) -> Price:
    return Price(Decimal(amount), "USD", "an exchange")


def lot(number: int, amount_sat: int, price: PriceOrReason, acquired_ms: int = 0) -> Lot:
    return Lot(
        number, outpoint(number), amount_sat, amount_sat, acquired_ms, Origin.RECEIVED, price
    )


LOTS = [lot(1, 100, usd("30000"), 3), lot(2, 100, UNKNOWN, 1), lot(3, 100, usd("50000.01"), 2)]


@pytest.mark.parametrize(
    ("method", "named", "order"),
    [
        (Method.FIFO, (), [2, 3, 1]),
        (Method.HIFO, (), [3, 1, 2]),
        (Method.NAMED, (1, 3, 2), [1, 3, 2]),
    ],
)
def test_lots_are_relieved_in_the_order_of_the_method(
    method: Method, named: tuple[int, ...], order: list[int]
) -> None:
    expected = [Relief(order[0], 100), Relief(order[1], 100), Relief(order[2], 50)]
    assert relieve(LOTS, 250, method, named) == expected


def test_what_the_lots_do_not_hold_is_refused() -> None:
    with pytest.raises(ShortOfLotsError) as refusal:
        relieve(LOTS, 301, Method.FIFO)
    assert (refusal.value.needed_sat, refusal.value.available_sat) == (301, 300)
    with pytest.raises(ShortOfLotsError):
        relieve(LOTS, 101, Method.NAMED, (1,))
    for named in ((), (1, 1), (9,)):
        with pytest.raises(BadInputError):
            relieve(LOTS, 1, Method.NAMED, named)
    euro = lot(4, 100, Price(Decimal(1), "EUR", "x"))
    with pytest.raises(ConflictError, match="currencies"):
        relieve([*LOTS, euro], 1, Method.HIFO)


@given(
    st.lists(st.tuples(st.integers(1, 1_000), st.integers(0, 1_000)), max_size=20),
    st.integers(0, 5_000),
    st.sampled_from([Method.FIFO, Method.HIFO]),
)
def test_reliefs_sum_up_and_none_is_more_than_its_lot_has(
    amounts: list[tuple[int, int]], amount_sat: int, method: Method
) -> None:
    lots = [
        Lot(number, outpoint(number), whole, min(whole, left), number % 5, Origin.MINED, UNKNOWN)
        for number, (whole, left) in enumerate(amounts)
    ]
    available = {one.id: one.available_sat for one in lots}
    try:
        reliefs = relieve(lots, amount_sat, method)
    except ShortOfLotsError:
        assert sum(available.values()) < amount_sat
        return
    assert sum(one.amount_sat for one in reliefs) == amount_sat
    assert len({one.lot_id for one in reliefs}) == len(reliefs)
    assert all(0 < one.amount_sat <= available[one.lot_id] for one in reliefs)


@pytest.mark.parametrize("amount", ["0", "-1", "nan", "Infinity", "1e99", "", "1,5", "9" * 60])
def test_a_price_is_an_exact_number_above_zero(amount: str) -> None:
    with pytest.raises(BadInputError):
        price_of(amount, "USD", "x")


def test_a_price_has_a_currency_and_a_source_and_an_unknown_one_a_reason() -> None:
    assert price_of("67812.12345678901", "USD", "x").text == "67812.12345678901"
    for currency, source in (("usd", "x"), ("USD", ""), ("USD", "x\n")):
        with pytest.raises(BadInputError):
            price_of("1", currency, source)
    with pytest.raises(BadInputError):
        UnknownPrice("")


ORGANISATIONS = {1: "own", 2: "own", 3: "guest"}


def flows(
    spent: dict[int, int], received: list[tuple[int, int]], others_sat: int, foreign: int = 0
) -> Flows:
    outputs = others_sat + sum(amount for _, amount in received)
    paid = tuple(Received(wallet, vout, amount) for vout, (wallet, amount) in enumerate(received))
    return Flows(bytes(32), False, paid, spent, ORGANISATIONS, outputs, foreign)


def test_a_payment_is_what_others_get_and_a_transfer_names_its_other_end() -> None:
    made = movements(flows({1: 100}, [(1, 30), (2, 20)], 45))
    assert [(one.wallet_id, one.kind, one.amount_sat, one.other_wallet_id) for one in made] == [
        (1, Kind.OUT, 65, 2),
        (1, Kind.FEE, 5, None),
        (2, Kind.IN, 20, 1),
    ]
    assert made[2].origin is Origin.TRANSFERRED


def test_another_organisation_of_ours_is_a_stranger() -> None:
    made = movements(flows({1: 100}, [(3, 90)], 0))
    assert made[0].other_wallet_id is None
    assert made[-1].origin is Origin.RECEIVED


def test_an_impossible_transaction_is_refused() -> None:
    with pytest.raises(BadInputError):
        movements(flows({1: 100}, [(1, 101)], 0))


@given(
    st.dictionaries(st.sampled_from([1, 2, 3]), st.integers(1, 1_000), max_size=3),
    st.lists(st.tuples(st.sampled_from([1, 2, 3]), st.integers(1, 500)), max_size=5),
    st.integers(0, 500),
    st.booleans(),
)
def test_movements_are_what_each_wallets_coins_change_by(
    spent: dict[int, int], received: list[tuple[int, int]], others_sat: int, shared: bool
) -> None:
    one = flows(spent, received, others_sat, int(shared or not spent))
    if one.foreign_inputs == 0 and one.outputs_sat > sum(spent.values()):
        return
    sign = {Kind.IN: 1, Kind.OUT: -1, Kind.FEE: -1}
    changes = dict.fromkeys(ORGANISATIONS, 0)
    for made in movements(one):
        assert made.amount_sat > 0
        changes[made.wallet_id] += sign[made.kind] * made.amount_sat
        if made.kind is Kind.IN:
            assert sum(part.amount_sat for part in made.acquired) == made.amount_sat
    for wallet in ORGANISATIONS:
        came = sum(amount for to, amount in received if to == wallet)
        assert changes[wallet] == came - spent.get(wallet, 0)


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "\n=1"]
)
def test_no_text_becomes_a_formula(text: str) -> None:
    assert neutral(text) == f"'{text}"
    assert neutral("an exchange") == "an exchange"


def exported(price: PriceOrReason) -> Export:
    """Two lots come in, and a part of them leaves."""
    parts = (
        LotPart(1, 60_000, 1_700_000_000_000, Origin.MINED, price),
        LotPart(2, 40_000, 1_700_000_000_000, Origin.MINED, UNKNOWN),
    )
    out = (LotPart(1, 60_000, 1_700_000_000_000, Origin.MINED, price),)
    common = ("aa" * 32, 5, "bb" * 32, 1_700_086_400_000)
    lines = (
        Line(1, Kind.IN, 100_000, *common, 5, None, None, False, None, parts),
        Line(2, Kind.OUT, 60_000, *common, 6, None, "own/b", True, "-r", out),
        Line(3, Kind.IN, -100_000, *common, 7, 1, None, False, None, ()),
    )
    figures = Cut(1, 1, 0, 9, Statement(0, 0, 60_000, 0), -60_000)
    return Export("own", "a", figures, lines)


def test_the_csv_has_a_row_for_each_lot_and_no_formula() -> None:
    text = csv_text(exported(Price(Decimal("1.50"), "USD", "=cmd()")))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == list(HEADER)
    assert [row["lot_amount_sat"] for row in rows] == ["60000", "40000", "60000", ""]
    assert rows[0]["lot_price"] == "1.50"
    assert rows[0]["lot_price_source"] == "'=cmd()"
    assert (rows[1]["lot_price"], rows[1]["lot_price_problem"]) == ("", "the source was down")
    assert rows[2]["reservation"] == "'-r"
    assert rows[3]["amount_sat"] == "-100000"
    assert rows[0]["lot_acquired"] == "2023-11-14T22:13:20Z"


def test_beancount_holds_priced_lots_at_cost_and_makes_up_no_price() -> None:
    text = beancount_text(exported(usd("40000.5")))
    assert '  Assets:Bitcoin:Own:A  0.00060000 BTC {40000.5 USD, 2023-11-14, "lot-1"}' in text
    assert '  Assets:Bitcoin:Own:A  -0.00060000 BTC {40000.5 USD, 2023-11-14, "lot-1"}' in text
    assert "  Assets:Bitcoin:Own:A  0.00040000 BTC\n" in text
    assert 'price-problem: "the source was down"' in text
    assert "2023-11-15 open Assets:Bitcoin:Own:A BTC" in text
    amounts = [
        Decimal(line.split()[1])
        for line in text.splitlines()
        if line.startswith("  Assets:Bitcoin:Own:A")
    ]
    assert sum(amounts) == Decimal("-0.00060000")
    assert '* "in, correction of 1"' in text
