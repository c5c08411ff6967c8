"""Locked periods, corrections, annotations, exports and labels on real databases."""

from decimal import Decimal

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from controller.errors import ConflictError
from controller.storage.engine import Storage
from controller.storage.tables import (
    audit_leaves,
    wallet_coins,
    wallet_entries,
    wallet_lots,
    wallet_periods,
)
from controller.wallets.books.annotating import Told, annotate_lot
from controller.wallets.books.beancount_export import beancount_text
from controller.wallets.books.csv_export import csv_text
from controller.wallets.books.exported import export
from controller.wallets.books.lots import Origin
from controller.wallets.books.periods import BooksDoNotBalanceError, cut, lock_period
from controller.wallets.books.prices import Price
from controller.wallets.labels import export_labels, import_labels
from controller.wallets.opening import open_wallet
from controller.wallets.reservations import Request, Wanted, reserve
from shared.bitcoin.transaction import OutPoint
from shared.errors import BadInputError
from tests.wallet_chain import NOW_MS, Chain, MadeUpScripts, enter_wallet, foreign, spend, stranger

A = MadeUpScripts("a")


@pytest.fixture
def chain(storage: Storage) -> Chain:
    """A receipt of 100,000 sat in block 1, of which 30,000 are paid in block 2."""
    with storage.write() as conn:
        enter_wallet(conn, "a", finality=2)
    made = Chain(storage)
    receipt = spend([foreign(1)], [(A.script_at(0, 0), 100_000)])
    made.mine(receipt)
    made.mine(
        spend([OutPoint(receipt.txid, 0)], [(stranger(), 30_000), (A.script_at(1, 0), 69_000)])
    )
    made.mine_empty(1)
    return made


def lock(chain: Chain, height: int) -> None:
    with chain.storage.write() as conn:
        lock_period(
            conn,
            1,
            height,
            chain.blocks[height - 1].block_hash,
            actor="user:1",
            now_ms=NOW_MS,
        )


def test_a_period_is_locked_once_and_the_next_opens_with_its_closing(chain: Chain) -> None:
    lock(chain, 1)
    lock(chain, 2)
    with chain.storage.read() as conn:
        rows = conn.execute(select(wallet_periods).order_by(wallet_periods.c.number)).all()
        leaves = [row.kind for row in conn.execute(select(audit_leaves))]
    assert [(r.opening_sat, r.in_sat, r.out_sat, r.fee_sat, r.closing_sat) for r in rows] == [
        (0, 100_000, 0, 0, 100_000),
        (100_000, 0, 30_000, 1_000, 69_000),
    ]
    assert leaves.count("wallet.period_locked") == 2
    for height in (2, 3):
        with pytest.raises(ConflictError):
            lock(chain, height)


def test_books_that_do_not_balance_are_not_locked(chain: Chain) -> None:
    with chain.storage.write() as conn:
        conn.execute(
            update(wallet_entries).where(wallet_entries.c.kind == "fee").values(voided_ms=1)
        )
    with pytest.raises(BooksDoNotBalanceError, match="70000"):
        lock(chain, 2)
    with chain.storage.read() as conn:
        assert conn.execute(select(wallet_periods)).all() == []


def test_a_reorganisation_into_a_locked_period_becomes_a_correction(chain: Chain) -> None:
    lock(chain, 2)
    with chain.storage.read() as conn:
        before = conn.execute(select(wallet_entries)).all()
    blocks = [chain.disconnect() for _ in range(2)]
    chain.mine_empty(2)
    with chain.storage.read() as conn:
        after = conn.execute(select(wallet_entries).order_by(wallet_entries.c.id)).all()
        made = cut(conn, 1, 3)
        kinds = [row.kind for row in conn.execute(select(audit_leaves))]
    assert after[: len(before)] == before
    assert {(row.kind, row.amount_sat, row.booked_height) for row in after[len(before) :]} == {
        ("out", -30_000, 3),
        ("fee", -1_000, 3),
    }
    assert made.balances
    assert made.statement.closing_sat == 100_000
    assert kinds.count("wallet.locked_entry_corrected") == 2
    chain.mine(blocks[1].transactions[1])
    with chain.storage.read() as conn:
        made = cut(conn, 1, 4)
    assert made.balances
    assert (made.statement.out_sat, made.statement.closing_sat) == (0, 69_000)


def test_a_locked_block_that_comes_back_is_booked_in_the_open_period(chain: Chain) -> None:
    lock(chain, 2)
    blocks = [chain.disconnect() for _ in range(2)]
    for block in reversed(blocks):
        chain.connect(block)
    with chain.storage.read() as conn:
        made = cut(conn, 1, 3)
        booked = [
            (row.amount_sat, row.height, row.booked_height)
            for row in conn.execute(
                select(wallet_entries).where(wallet_entries.c.kind == "out").order_by("id")
            )
        ]
    assert booked == [(30_000, 2, 2), (-30_000, 2, 3), (30_000, 2, 3)]
    assert made.balances
    assert (made.statement.out_sat, made.statement.closing_sat) == (0, 69_000)


def test_the_database_itself_refuses_to_relieve_a_lot_twice(chain: Chain) -> None:
    with pytest.raises(IntegrityError), chain.storage.write() as conn:
        conn.execute(update(wallet_lots).values(committed_sat=wallet_lots.c.amount_sat + 1))
    with pytest.raises(IntegrityError), chain.storage.write() as conn:
        conn.execute(update(wallet_lots).values(price_problem=None))


def test_a_price_is_told_later_but_not_into_a_locked_period(chain: Chain) -> None:
    price = Price(Decimal("67812.10"), "USD", "an exchange, close of the day")

    def annotate(version: int, origin: Origin = Origin.BOUGHT) -> None:
        with chain.storage.write() as conn:
            annotate_lot(
                conn, 1, Told(origin, price), version=version, actor="user:1", now_ms=NOW_MS
            )

    with chain.storage.read() as conn:
        before = conn.execute(select(wallet_lots)).one()
    assert before.price is None
    assert before.price_problem == "no source of prices is configured"
    annotate(before.version)
    with pytest.raises(ConflictError, match="changed"):
        annotate(before.version)
    with pytest.raises(BadInputError):
        annotate(before.version + 1, Origin.TRANSFERRED)
    with chain.storage.read() as conn:
        found = conn.execute(select(wallet_lots)).one()
    assert (found.origin, found.price, found.price_problem) == ("bought", "67812.10", None)
    lock(chain, 1)
    with pytest.raises(ConflictError, match="locked"):
        annotate(found.version)


def test_the_exports_are_the_entries_with_their_lots(chain: Chain) -> None:
    with chain.storage.write() as conn:
        annotate_lot(
            conn,
            1,
            Told(Origin.BOUGHT, Price(Decimal(40_000), "USD", "=x")),
            version=conn.execute(select(wallet_lots)).one().version,
            actor="user:1",
            now_ms=NOW_MS,
        )
    with chain.storage.read() as conn:
        exported = export(conn, 1, 3)
        early = export(conn, 1, 1)
    assert [(one.kind.value, one.amount_sat) for one in exported.lines] == [
        ("in", 100_000),
        ("out", 30_000),
        ("fee", 1_000),
    ]
    assert all(
        sum(part.amount_sat for part in one.parts) == one.amount_sat for one in exported.lines
    )
    assert csv_text(exported).count("'=x") == 3
    text = beancount_text(exported)
    assert "in 100000 - out 30000 - fees 1000 = closing 69000 sat" in text
    held = [line.split() for line in text.splitlines() if line.startswith("  Assets:")]
    assert sum(Decimal(line[1]) for line in held) == Decimal("0.00069")
    assert len(early.lines) == 1


def test_labels_go_in_and_out_and_what_is_not_told_stays(chain: Chain) -> None:
    first = [
        b'{"type":"tx","ref":"aa","label":"rent","fee":12.50}',
        b'{"type":"tx","ref":"aa","label":"other wallet","origin":"wpkh([d34db33f/84\'/0\'/1\'])"}',
    ]
    with chain.storage.write() as conn:
        assert import_labels(conn, 1, first, actor="user:1", now_ms=NOW_MS).labels == 2
    with chain.storage.write() as conn:
        import_labels(conn, 1, [b'{"type":"tx","ref":"aa"}'], actor="user:1", now_ms=NOW_MS)
        assert next(iter(export_labels(conn, 1))) == (
            '{"type": "tx", "ref": "aa", "label": "rent", "fee": 12.50}'
        )
    with pytest.raises(BadInputError, match="line 2"), chain.storage.write() as conn:
        import_labels(conn, 1, [b'{"type":"tx","ref":"bb"}', b"x"], actor="user:1", now_ms=NOW_MS)
    with chain.storage.read() as conn:
        assert len(list(export_labels(conn, 1))) == 2


def test_an_output_labelled_not_spendable_is_left_alone_until_it_is_again(chain: Chain) -> None:
    with chain.storage.read() as conn:
        opened = open_wallet(conn, 1)
    [coin] = list(opened.pool)

    def label(spendable: str) -> None:
        line = f'{{"type":"output","ref":"{coin.outpoint.hex}","spendable":{spendable}}}'
        with chain.storage.write() as conn:
            import_labels(conn, 1, [line.encode()], actor="user:1", now_ms=NOW_MS)
        with chain.storage.read() as conn:
            opened.catch_up(conn)

    label("false")
    assert coin.outpoint not in opened.pool
    with chain.storage.read() as conn:
        version = conn.execute(
            select(wallet_coins.c.version).where(wallet_coins.c.standing == "final")
        ).scalar_one()
    request = Request(1, "x", (Wanted(coin.outpoint, version),), 1_000)
    with chain.storage.write() as conn, pytest.raises(ConflictError, match="not spendable"):
        reserve(conn, request, actor="user:1", now_ms=NOW_MS)
    label("true")
    assert coin.outpoint in opened.pool
