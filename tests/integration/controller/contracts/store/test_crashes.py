"""SIGKILL at every step from draft to broadcast: a step is there wholly, or not at all."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
from sqlalchemy import event, func, select

from controller.contracts.life import ContractState
from controller.contracts.store.transactions import record_broadcast, record_draft, record_signed
from controller.storage.engine import Storage
from controller.storage.migrate import migrate
from controller.storage.tables import audit_leaves
from shared.bitcoin.transaction import OutPoint
from tests.integration.controller.contracts.store.chain import (
    DEPTH,
    TOLD,
    World,
    funding,
    open_world,
    payment,
    reopen_world,
    spending,
)

INTENT = (1).to_bytes(16, "big")
STEPS = ("draft", "signed", "broadcast")
AFTER = {
    0: ([], "open", ContractState.FUNDED),
    1: (["drafted"], "open", ContractState.FUNDED),
    2: (["signed"], "signed", ContractState.FUNDED),
    3: (["broadcast"], "signed", ContractState.SPENDING),
}
"""What stands after so many steps: transactions, the intent, the contract."""


def take_steps(world: World, coin: OutPoint, done: int = 0) -> None:
    """The steps that are not done yet, each in a transaction of its own."""
    made = spending(world.contract, coin, INTENT)
    txid = made.signed.txid
    for step in STEPS[done:]:
        with world.storage.write() as conn:
            place = world.place_in(conn)
            if step == "draft":
                record_draft(conn, place, made, TOLD)
            elif step == "signed":
                record_signed(conn, place, made, TOLD)
            else:
                record_broadcast(conn, place, txid, TOLD)


def die_at(url: str, contract_id: int, coin: OutPoint, place: tuple[int, int]) -> None:
    """Kills itself before statement `place[1]` of step `place[0]` (-1: before its commit)."""
    world = reopen_world(Storage(url), contract_id)
    at = {"step": 0, "statement": 0}

    def on_statement(*_: object) -> None:
        at["statement"] += 1
        if (at["step"], at["statement"]) == place:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_commit(_: object) -> None:
        if (at["step"], -1) == place:
            os.kill(os.getpid(), signal.SIGKILL)
        at["step"] += 1
        at["statement"] = 0

    event.listen(world.storage.engine, "before_cursor_execute", on_statement)
    event.listen(world.storage.engine, "commit", on_commit)
    take_steps(world, coin)


@pytest.mark.parametrize("statement", [1, 3, 5, -1])
@pytest.mark.parametrize("step", range(len(STEPS)))
def test_a_step_that_was_killed_is_wholly_there_or_not_at_all_and_the_rest_goes_on(
    tmp_path: Path, step: int, statement: int
) -> None:
    url = f"sqlite:///{tmp_path / 'contracts.db'}"
    storage = Storage(url)
    migrate(storage)
    world = open_world(storage)
    paid = funding(world.contract)
    world.mine(paid)
    world.mine_empty(DEPTH)
    world.enter(payment(1))
    storage.close()
    forked = multiprocessing.get_context("fork")
    coin = paid.outpoint(0)
    child = forked.Process(target=die_at, args=(url, world.contract_id, coin, (step, statement)))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    world.storage = Storage(url)
    _stands(world, step)
    take_steps(world, coin, step)
    _stands(world, len(STEPS))
    world.storage.close()


def _stands(world: World, steps: int) -> None:
    transactions, intent, state = AFTER[steps]
    assert list(world.transactions().values()) == transactions
    assert world.intents() == {INTENT: intent}
    assert world.state() is state
    with world.storage.read() as conn:
        leaves = conn.scalar(select(func.count()).select_from(audit_leaves))
    assert leaves == world.place.version == len(world.log())
