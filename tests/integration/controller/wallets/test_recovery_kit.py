"""A kit finds the coins again without the database that it came from."""

import json

import pytest
from sqlalchemy import select

from controller.storage.engine import Storage
from controller.storage.tables import wallet_coins
from controller.wallets.kits import make_kit
from controller.wallets.labels import import_labels
from controller.wallets.recovery_kit import KitKey, find_coins, read_kit, write_kit
from shared.bitcoin.transaction import OutPoint
from shared.errors import BadInputError
from tests.wallet_chain import NOW_MS, Chain, MadeUpScripts, enter_wallet, foreign, spend, stranger

A = MadeUpScripts("a")
KEY = KitKey("[d34db33f/84h/1h/0h]", "the treasurer", "the safe in Oslo")


@pytest.fixture
def chain(storage: Storage) -> Chain:
    """Coins that came, went, and came back as change, some only within a gap that moved."""
    with storage.write() as conn:
        enter_wallet(conn, "a")
    made = Chain(storage)
    first = spend([foreign(1)], [(A.script_at(0, 4), 50_000), (A.script_at(0, 1), 70_000)])
    made.mine(first)
    made.mine(spend([foreign(2)], [(A.script_at(0, 8), 20_000)]), to=A.script_at(0, 2))
    payment = spend([OutPoint(first.txid, 0)], [(stranger(), 30_000), (A.script_at(1, 0), 19_000)])
    made.mine(payment, spend([OutPoint(payment.txid, 1)], [(A.script_at(1, 3), 18_000)]))
    return made


def test_a_kit_finds_every_coin_again_in_nothing_but_blocks(chain: Chain) -> None:
    label = b'{"type":"tx","ref":"aa","label":"rent","fee":12.50}'
    with chain.storage.write() as conn:
        import_labels(conn, 1, [label], actor="user:1", now_ms=NOW_MS)
        text = write_kit(make_kit(conn, [1], [KEY], actor="user:1", now_ms=NOW_MS))
        rows = conn.execute(select(wallet_coins).where(wallet_coins.c.standing != "spent")).all()
        known = {
            OutPoint(row.txid, row.vout): (
                row.amount_sat,
                row.branch,
                row.number,
                row.created_height,
            )
            for row in rows
        }
    chain.storage.close()
    kit = read_kit(text)
    assert write_kit(kit) == text
    assert kit.keys == (KEY,)
    [wallet] = kit.wallets
    assert wallet.labels[0].label == "rent"
    blocks = ((block.height, block.transactions) for block in chain.blocks)
    found = find_coins(MadeUpScripts(wallet.descriptor), wallet.gap_limit, blocks)
    assert {
        key: (one.amount_sat, one.branch, one.index, one.height) for key, one in found.items()
    } == known
    assert len(known) == 4


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("format",), "other", "kit.format"),
        (("network",), "moon", "kit.network"),
        (("wallets",), {}, "kit.wallets"),
        (("wallets", 0), 1, "kit.labels"),
        (("wallets", 0, "gap_limit"), 0, "gap_limit"),
        (("wallets", 0, "birth_height"), "1", "birth_height"),
        (("wallets", 0, "descriptor"), "", "descriptor"),
        (("wallets", 0, "labels"), ["x"], "labels"),
        (("keys", 0, "holder"), None, "holder"),
    ],
)
def test_a_text_that_is_no_kit_is_refused_by_its_field(
    chain: Chain, path: tuple[str | int, ...], value: object, field: str
) -> None:
    with chain.storage.write() as conn:
        made = json.loads(write_kit(make_kit(conn, [1], [KEY], actor="user:1", now_ms=NOW_MS)))
    at = made
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    with pytest.raises(BadInputError) as refusal:
        read_kit(json.dumps(made))
    assert field in refusal.value.field
    with pytest.raises(BadInputError):
        read_kit("{")
