"""Whatever blocks come and go, the rows say what the chain says, and the log has no gap."""

import random

import pytest
from sqlalchemy import func, select

from controller.contracts.life import TERMINAL, ContractState
from controller.contracts.store.reading import read
from controller.contracts.store.registry import find
from controller.contracts.store.transactions import record_broadcast, record_signed
from controller.storage.engine import Storage
from controller.storage.tables import audit_leaves
from shared.bitcoin.transaction import OutPoint, Transaction
from tests.integration.controller.contracts.store.chain import (
    DEPTH,
    TOLD,
    World,
    funding,
    open_world,
    payment,
    spending,
)

STEPS = 50


@pytest.mark.parametrize("seed", range(2))
def test_the_facts_are_those_of_the_blocks_that_stand(storage: Storage, seed: int) -> None:
    world, draw = open_world(storage), random.Random(seed)
    mempool: list[Transaction] = []
    states = set()
    for number in range(STEPS):
        choice = draw.random()
        if choice < 0.3 and world.blocks:
            mempool += [one for one in world.undo().transactions if one.inputs]
        elif choice < 0.5:
            world.mine(funding(world.contract, number))
        elif choice < 0.7:
            mempool += _pay(world, number, draw, mempool)
        else:
            world.mine(*_chosen(world, mempool, draw))
        _agree(world)
        states.add(world.state())
    assert states >= {ContractState.FUNDED, ContractState.SPENDING}
    assert not states & TERMINAL


def _standing(world: World) -> tuple[set[OutPoint], dict[OutPoint, tuple[bytes, bool]]]:
    """The coins and spends of the blocks that stand, with whether each spend is final."""
    made: set[OutPoint] = set()
    spent: dict[OutPoint, tuple[bytes, bool]] = {}
    for seen in world.blocks:
        is_final = len(world.blocks) - seen.ref.height + 1 >= DEPTH
        for fact in seen.facts:
            if fact.kind.value == "received":
                made.add(fact.outpoint)
            else:
                spent[fact.outpoint] = fact.txid, is_final
    return made, spent


def _agree(world: World) -> None:
    made, spent = _standing(world)
    with world.storage.read() as conn:
        row = find(conn, world.contract_id)
        reading = read(conn, row)
        leaves = conn.scalar(select(func.count()).select_from(audit_leaves))
    assert {one.outpoint for one in reading.coins} == made
    for coin in reading.coins:
        if coin.outpoint in spent:
            assert coin.spend is not None
            txid, is_final = spent[coin.outpoint]
            assert coin.spend.txid == txid
            assert coin.spend.is_final or not is_final
        else:
            assert coin.spend is None or not coin.spend.is_final
    assert leaves == row.version == len(world.log())


def _pay(
    world: World, number: int, draw: random.Random, mempool: list[Transaction]
) -> list[Transaction]:
    """A payment from a coin that nothing spends yet, signed and broadcast."""
    made, spent = _standing(world)
    taken = spent.keys() | {one.outpoint for tx in mempool for one in tx.inputs}
    big = [one for one in sorted(made - taken) if world.coins[one].amount_sat == 100_000]
    if not big:
        return []
    intent = number.to_bytes(16, "big")
    world.enter(payment(number))
    one = spending(world.contract, draw.choice(big), intent)
    with world.storage.write() as conn:
        place = record_signed(conn, world.place_in(conn), one, TOLD)
        record_broadcast(conn, place, one.signed.txid, TOLD)
    return [one.signed.transaction]


def _chosen(world: World, mempool: list[Transaction], draw: random.Random) -> list[Transaction]:
    """One that can be mined, if there is one; what is never mined stays."""
    made, spent = _standing(world)
    fit = [
        one
        for one in mempool
        if all(
            (point.outpoint in made or point.outpoint not in world.coins)
            and point.outpoint not in spent
            for point in one.inputs
        )
    ]
    if not fit:
        return []
    one = draw.choice(fit)
    mempool.remove(one)
    return [one]
