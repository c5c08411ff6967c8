"""A contract behind the chain's follower, on blocks that Core's own engine took."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from controller.chain.embedded.chain import EmbeddedChain
from controller.chain.engine import verify
from controller.chain.follower.runner import Follower
from controller.contracts.context import Coin, ExecutionContext, FeeMarket, Request, Tip
from controller.contracts.execute import execute
from controller.contracts.life import ContractState
from controller.contracts.rules import Proposal, judge_payment
from controller.contracts.signing import finish, sign
from controller.contracts.store.intents import enter_intent, payments
from controller.contracts.store.listener import ContractListener
from controller.contracts.store.reading import history, read
from controller.contracts.store.registry import approve_to_open, create, find, place_of
from controller.contracts.store.transactions import (
    Made,
    find_transaction,
    record_broadcast,
    record_signed,
)
from controller.storage.engine import Storage
from controller.storage.tables import contract_facts
from shared.bitcoin.transaction import Transaction
from tests.integration.controller.contracts.parameters import keys_of, people
from tests.integration.controller.contracts.store.chain import (
    DEPTH,
    PAYEE,
    TOLD,
    World,
    new_treasury,
    payment,
    reopen_world,
)
from tests.nodes import StillClock

INTENT = (1).to_bytes(16, "big")
BLOCKS = 103


class Setting:
    """An embedded chain, its follower, one treasury with mature coins."""

    def __init__(self, storage: Storage, chain: EmbeddedChain) -> None:
        self.chain = chain
        listener = ContractListener(StillClock())
        self.follower = Follower(chain, storage, [listener], depth=150)
        self.follower.start()
        with storage.write() as conn:
            place = create(conn, new_treasury(), TOLD)
            listener.watch_contract(conn, place.contract_id)
            approve_to_open(conn, place, TOLD)
        self.world: World = reopen_world(storage, place.contract_id)
        chain.mine(1, self.world.contract.output("treasury", 0).script_pubkey)
        chain.mine(BLOCKS)
        self.go_on()

    def go_on(self) -> None:
        while not self.follower.step().is_at_tip:
            pass

    def sign(self) -> Transaction:
        """Drafted, signed, verified by the engine, judged, and kept before it is given away."""
        world, tip = self.world, self.chain.tip()
        with world.storage.write() as conn:
            fact = conn.execute(select(contract_facts)).one()
            (coin,) = read(conn, find(conn, world.contract_id)).coins
            known = Coin(
                coin.outpoint, coin.amount_sat, "treasury", fact.number, fact.branch,
                height=fact.height, is_final=bool(fact.is_final), is_coinbase=True,
            )  # fmt: skip
            names = frozenset({people()[0].name})
            context = ExecutionContext(
                Tip(tip.height, 0), (known,), FeeMarket(2_000), names, frozenset({INTENT}), 0, 1_000
            )
            draft = execute(
                world.contract, "spend", context, Request(5_000, 2_000, INTENT, (PAYEE,))
            )
            made = finish(draft, sign(draft, keys_of(names), bytes(32)), verify)
            own = {draft.transaction.outputs[place] for place in draft.own_outputs}
            so_far = history(conn, world.contract_id)
            approved = payments(conn, world.contract_id, [INTENT])
            proposal = Proposal(made, draft.prevouts, own.__contains__)
            signed = judge_payment(proposal, approved, {INTENT: [PAYEE]}, so_far, TOLD.now_ms)
            entered = Made.of(signed, draft.path, so_far)
            record_signed(conn, world.place_in(conn), entered, TOLD)
        return made

    def broadcast(self, txid: bytes) -> None:
        """As a process does that finds it in the database."""
        with self.world.storage.write() as conn:
            record_broadcast(conn, self.world.place_in(conn), txid, TOLD)
        with self.world.storage.read() as conn:
            kept = Transaction.parse(find_transaction(conn, txid).raw)
        assert self.chain.broadcast(kept).reason is None


@pytest.fixture
def setting(storage: Storage) -> Iterator[Setting]:
    chain = EmbeddedChain()
    yield Setting(storage, chain)
    chain.close()


def test_a_mined_coin_is_paid_out_undone_by_a_reorganisation_mined_again_and_final(
    setting: Setting,
) -> None:
    world, chain = setting.world, setting.chain
    assert world.state() is ContractState.FUNDED
    with world.storage.write() as conn:
        enter_intent(conn, place_of(find(conn, world.contract_id)), payment(1), TOLD)
    made = setting.sign()
    setting.broadcast(made.txid)
    assert world.state() is ContractState.SPENDING
    chain.mine(1)
    setting.go_on()
    chain.reorganise(chain.tip().height - 1, 2)
    setting.go_on()
    assert world.transactions() == {made.txid: "signed"}
    assert world.state() is ContractState.FUNDED
    with world.storage.write() as conn:
        record_broadcast(conn, world.place_in(conn), made.txid, TOLD)
    chain.mine_with([made])
    chain.mine(DEPTH - 1)
    setting.go_on()
    assert world.transactions() == {made.txid: "final"}
    assert world.intents() == {INTENT: "done"}
    with world.storage.read() as conn:
        coins = read(conn, find(conn, world.contract_id)).coins
    assert [one.spend is not None for one in coins] == [True, False], "what is left is the change"


def test_a_replay_of_what_is_known_changes_nothing(setting: Setting) -> None:
    before = setting.world.place
    setting.follower.replay(setting.world.listener, 1)
    setting.chain.mine(1)
    setting.go_on()
    assert setting.world.place == before
