"""Contracts in the database: created, funded, signed for, spent, undone; on both databases."""

import threading

import pytest
from sqlalchemy import Table, func, select

from controller.contracts.history import Signed
from controller.contracts.intents import Cancel, Kind
from controller.contracts.life import ContractEvent, ContractState, NoSuchStepError
from controller.contracts.paths import Outcome
from controller.contracts.rules import Proposal, judge_payment
from controller.contracts.store.intents import NewIntent, lapse_intent, payments
from controller.contracts.store.log import LEAF_KIND, Place
from controller.contracts.store.reading import ancestors_of, history
from controller.contracts.store.registry import (
    create,
    find,
    load,
    transition_many,
    withdraw,
)
from controller.contracts.store.transactions import (
    Made,
    find_transaction,
    record_broadcast,
    record_draft,
    record_signed,
    record_signed_many,
)
from controller.errors import ConflictError, MissingError
from controller.storage.engine import Storage
from controller.storage.tables import (
    audit_leaves,
    chain_watches,
    contract_events,
    contract_facts,
    contract_scripts,
)
from shared.bitcoin.transaction import OutPoint
from tests.integration.controller.contracts.store.chain import (
    DEPTH,
    PAYEE,
    TOLD,
    World,
    funding,
    new_treasury,
    open_world,
    payment,
    spending,
)

INTENT = (1).to_bytes(16, "big")


@pytest.fixture
def world(storage: Storage) -> World:
    return open_world(storage)


def fund(world: World) -> OutPoint:
    """A final coin of the contract."""
    paid = funding(world.contract)
    world.mine(paid)
    world.mine_empty(DEPTH)
    return paid.outpoint(0)


def sign(world: World, coin: OutPoint, fee_sat: int = 1_000) -> bytes:
    """A signed payment, as a judge lets it through; its id."""
    made = spending(world.contract, coin, INTENT, fee_sat)
    with world.storage.write() as conn:
        record_signed(conn, world.place_in(conn), made, TOLD)
    return made.signed.txid


def broadcast(world: World, txid: bytes) -> Place:
    with world.storage.write() as conn:
        return record_broadcast(conn, world.place_in(conn), txid, TOLD)


def test_a_contract_comes_back_as_it_was_built_with_numbered_events_and_leaves(
    world: World,
) -> None:
    with world.storage.read() as conn:
        row = find(conn, world.contract_id)
        assert load(row).descriptors == world.contract.descriptors
        assert row.parameters
        assert row.version == 2
        kinds = conn.scalars(select(audit_leaves.c.kind).order_by(audit_leaves.c.id)).all()
        assert kinds == ["contract.created", LEAF_KIND]
        watched = conn.scalar(select(func.count()).select_from(chain_watches))
        assert watched == conn.scalar(select(func.count()).select_from(contract_scripts)) == 40
    assert world.log() == ["created", "approved"]


def test_a_name_or_a_script_is_of_one_contract(world: World) -> None:
    with pytest.raises(ConflictError, match="has a contract"), world.storage.write() as conn:
        create(conn, new_treasury(), TOLD)
    with pytest.raises(ConflictError, match="a script"), world.storage.write() as conn:
        create(conn, new_treasury("other"), TOLD)
    with world.storage.write() as conn:
        create(conn, new_treasury("other", first=1), TOLD)


def test_of_two_who_read_the_same_version_one_changes_nothing(world: World) -> None:
    stale = world.place
    world.enter(payment(1))
    leaves = _count(world, audit_leaves)
    with pytest.raises(ConflictError, match="meanwhile"), world.storage.write() as conn:
        withdraw(conn, stale, TOLD)
    assert world.state() is ContractState.APPROVED
    assert _count(world, audit_leaves) == leaves


def test_a_group_of_transitions_commits_whole_or_not_at_all(world: World) -> None:
    with world.storage.write() as conn:
        other = create(conn, new_treasury("other", first=1), TOLD)
    before = world.place
    moves = [(before, ContractEvent.FUNDED_IN_FULL, TOLD), (other, ContractEvent.APPROVED, TOLD)]
    stale = Place(other.contract_id, other.state, other.version + 5)
    with pytest.raises(ConflictError), world.storage.write() as conn:
        transition_many(conn, [moves[0], (stale, ContractEvent.APPROVED, TOLD)])
    assert world.place == before
    with world.storage.write() as conn:
        after = transition_many(conn, moves)
    assert [one.state for one in after] == [ContractState.FUNDED, ContractState.APPROVED]
    assert world.place == after[0]


def test_a_terminal_state_never_changes_but_what_comes_late_opens_an_incident(
    world: World,
) -> None:
    with world.storage.write() as conn:
        withdraw(conn, world.place_in(conn), TOLD)
    with pytest.raises(NoSuchStepError), world.storage.write() as conn:
        withdraw(conn, world.place_in(conn), TOLD)
    world.mine(funding(world.contract))
    assert world.state() is ContractState.SUPERSEDED
    with world.storage.read() as conn:
        last = conn.execute(
            select(contract_events)
            .where(contract_events.c.contract_id == world.contract_id)
            .order_by(contract_events.c.number.desc())
            .limit(1)
        ).one()
    assert last.opens_incident == 1
    assert last.state == "superseded"


def test_an_external_reference_is_paid_once_in_an_organisation(world: World) -> None:
    world.enter(payment(1, "invoice 7"))
    for again in (payment(2, "invoice 7"), payment(1)):
        with pytest.raises(ConflictError, match="entered before"):
            world.enter(again)
    world.enter(payment(2, "invoice 8"))
    world.enter(payment(3))
    world.enter(payment(4))


def test_an_intent_lapses_only_after_its_deadline_and_unsigned(world: World) -> None:
    place = world.enter(payment(1))
    with pytest.raises(ConflictError), world.storage.write() as conn:
        lapse_intent(conn, place, INTENT, TOLD)
    late = type(TOLD)("user:1", 1_900_000_000_000)
    with world.storage.write() as conn:
        lapse_intent(conn, place, INTENT, late)
    made = spending(world.contract, OutPoint(bytes(32), 0), INTENT)
    with pytest.raises(ConflictError, match="ended"), world.storage.write() as conn:
        record_signed(conn, world.place_in(conn), made, TOLD)
    assert world.transactions() == {}


def test_the_way_from_funding_to_final(world: World) -> None:
    coin = fund(world)
    assert world.state() is ContractState.FUNDED
    world.enter(payment(1, "invoice 7"))
    made = spending(world.contract, coin, INTENT)
    with world.storage.write() as conn:
        record_draft(conn, world.place_in(conn), made, TOLD)
    with pytest.raises(ConflictError), world.storage.write() as conn:
        record_broadcast(conn, world.place_in(conn), made.signed.txid, TOLD)
    txid = sign(world, coin)
    assert (world.transactions(), world.intents()) == ({txid: "signed"}, {INTENT: "signed"})
    assert broadcast(world, txid).state is ContractState.SPENDING
    world.mine(made.signed.transaction)
    world.mine_empty(DEPTH - 2)
    assert world.transactions() == {txid: "broadcast"}
    world.mine_empty(1)
    assert (world.transactions(), world.intents()) == ({txid: "final"}, {INTENT: "done"})
    assert world.state() is ContractState.FUNDED  # by its change
    with world.storage.read() as conn:
        numbers = conn.scalars(select(contract_events.c.number)).all()
        assert sorted(numbers) == list(range(1, world.place.version + 1))
        assert find_transaction(conn, txid).raw == made.signed.transaction.serialise()
    assert _count(world, audit_leaves) == world.place.version


def test_a_payment_of_unknown_or_drafted_state_is_not_sent(world: World) -> None:
    with pytest.raises(MissingError), world.storage.write() as conn:
        record_broadcast(conn, world.place_in(conn), bytes(32), TOLD)


def test_a_reorganised_spend_is_to_be_broadcast_again_and_nothing_is_signed_anew(
    world: World,
) -> None:
    coin = fund(world)
    world.enter(payment(1))
    txid = sign(world, coin)
    broadcast(world, txid)
    made = spending(world.contract, coin, INTENT)
    world.mine(made.signed.transaction)
    world.undo()
    assert world.transactions() == {txid: "signed"}
    assert world.state() is ContractState.FUNDED
    assert ContractEvent.SPEND_UNDONE.value in world.log()
    assert broadcast(world, txid).state is ContractState.SPENDING
    assert world.intents() == {INTENT: "signed"}


def test_undone_funding_leaves_no_coin(world: World) -> None:
    world.mine(funding(world.contract))
    assert world.state() is ContractState.FUNDED
    world.undo()
    assert world.state() is ContractState.APPROVED
    assert _count(world, contract_facts) == 0


def test_a_block_told_twice_changes_nothing(world: World) -> None:
    seen = world.mine(funding(world.contract))
    before = world.place
    with world.storage.write() as conn:
        world.listener.connected(conn, seen)
    assert world.place == before


def test_what_is_undone_below_finality_is_told_and_the_final_stays_final(world: World) -> None:
    coin = fund(world)
    world.enter(payment(1))
    txid = sign(world, coin)
    broadcast(world, txid)
    world.mine(spending(world.contract, coin, INTENT).signed.transaction)
    world.mine_empty(DEPTH)
    for _ in range(DEPTH + 1):
        world.undo()
    assert ContractEvent.DEEP_REORGANISATION.value in world.log()
    assert (world.transactions(), world.intents()) == ({txid: "final"}, {INTENT: "done"})


def test_what_a_final_transaction_excludes_is_replaced(world: World) -> None:
    coin = fund(world)
    world.enter(payment(1))
    first, second = sign(world, coin), sign(world, coin, fee_sat=2_000)
    world.mine(spending(world.contract, coin, INTENT, 2_000).signed.transaction)
    world.mine_empty(DEPTH)
    assert world.transactions() == {first: "replaced", second: "final"}


def test_a_spend_that_nobody_signed_here_is_an_incident(world: World) -> None:
    coin = fund(world)
    world.mine(spending(world.contract, coin, INTENT).signed.transaction)
    assert ContractEvent.UNKNOWN_SPEND.value in world.log()
    assert world.state() is ContractState.INCIDENT


def test_a_funding_deadline_ends_what_was_never_funded_once_it_is_final(storage: Storage) -> None:
    world = open_world(storage, deadline=2)
    world.mine_empty(2 + DEPTH - 1)
    assert world.state() is ContractState.APPROVED
    world.mine_empty(1)
    assert world.state() is ContractState.EXPIRED


def test_the_rules_judge_by_what_the_rows_say(world: World) -> None:
    coin = fund(world)
    world.enter(payment(1))
    txid = sign(world, coin)
    with world.storage.read() as conn:
        known = history(conn, world.contract_id)
        approved = payments(conn, world.contract_id, [INTENT])
        with pytest.raises(MissingError):
            payments(conn, world.contract_id, [bytes(16)])
    assert set(known.by_txid) == {txid}
    assert known.final_coins == {coin}
    again = spending(world.contract, coin, INTENT, 2_000).signed.transaction
    prevouts = [world.coins[coin]]
    proposal = Proposal(again, prevouts, lambda output: output != PAYEE)
    made = judge_payment(proposal, approved, {INTENT: [PAYEE]}, known, TOLD.now_ms)
    assert made.txid == again.txid  # it spends the same coin: at most one of the two is mined


def test_signed_transactions_are_kept_in_groups_each_with_its_event(world: World) -> None:
    coin = fund(world)
    world.enter(payment(1))
    many = [spending(world.contract, coin, INTENT, 1_000 + n) for n in range(3)]
    before = world.place
    with world.storage.write() as conn:
        after = record_signed_many(conn, before, many, TOLD)
    assert after.version == before.version + 3
    with pytest.raises(ConflictError, match="signed before"), world.storage.write() as conn:
        record_signed_many(conn, after, many[:1], TOLD)
    assert world.place == after


def test_a_final_cancel_ends_its_payment_and_its_own_approval(world: World) -> None:
    coin = fund(world)
    world.enter(payment(1))
    paying = sign(world, coin)
    cancel = Cancel("till", "treasury", 5_000, 1_800_000_000_000, bytes(15) + b"\2", INTENT)
    world.enter(NewIntent(cancel, bytes(32)))
    back = spending(world.contract, coin, INTENT, 3_000).signed
    signed = Signed(Kind.CANCEL, back.intents, back.transaction, back.own, back.fee_sat)
    with world.storage.write() as conn:
        made = Made(signed, "spend", Outcome.CONTINUES, cancel.id)
        record_signed(conn, world.place_in(conn), made, TOLD)
    world.mine(signed.transaction)
    world.mine_empty(DEPTH)
    assert world.transactions() == {paying: "replaced", signed.txid: "final"}
    assert world.intents() == {INTENT: "cancelled", cancel.id: "done"}


def test_a_draft_that_is_mined_though_nobody_told_of_its_signatures_ends_its_intent(
    world: World,
) -> None:
    coin = fund(world)
    world.enter(payment(1))
    made = spending(world.contract, coin, INTENT)
    with world.storage.write() as conn:
        record_draft(conn, world.place_in(conn), made, TOLD)
    world.mine(made.signed.transaction)
    world.mine_empty(DEPTH)
    assert world.transactions() == {made.signed.txid: "final"}
    assert world.intents() == {INTENT: "done"}


def test_a_child_of_own_change_is_kept_with_what_it_descends_from(world: World) -> None:
    coin = fund(world)
    world.enter(payment(1))
    parent = sign(world, coin)
    with world.storage.read() as conn:
        known = history(conn, world.contract_id)
    change = known.by_txid[parent].transaction.outpoint(1)
    signed = spending(world.contract, change, INTENT).signed
    made = Made.of(signed, world.contract.path("spend"), known)
    with world.storage.write() as conn:
        record_signed(conn, world.place_in(conn), made, TOLD)
        assert ancestors_of(find_transaction(conn, signed.txid)) == [parent]


def test_of_two_that_sign_at_once_one_is_refused_and_leaves_nothing(world: World) -> None:
    coin = fund(world)
    place = world.enter(payment(1))
    begin = threading.Barrier(2)
    outcomes: list[str] = []

    def race(fee_sat: int) -> None:
        made = spending(world.contract, coin, INTENT, fee_sat)
        begin.wait(30)
        try:
            with world.storage.write() as conn:
                record_signed(conn, place, made, TOLD)
            outcomes.append("signed")
        except ConflictError:
            outcomes.append("refused")

    racers = [threading.Thread(target=race, args=(fee_sat,)) for fee_sat in (1_000, 2_000)]
    for one in racers:
        one.start()
    for one in racers:
        one.join(60)
    assert sorted(outcomes) == ["refused", "signed"]
    assert list(world.transactions().values()) == ["signed"]
    assert world.place.version == place.version + 1


def _count(world: World, table: Table) -> int:
    with world.storage.read() as conn:
        return conn.scalar(select(func.count()).select_from(table)) or 0
