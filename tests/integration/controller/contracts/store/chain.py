"""A contract in a database, and a chain made up block by block that a listener is told of."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, insert, select

from controller.chain.follower.facts import Fact, FactKind
from controller.chain.follower.listeners import BlockDisconnected, BlockSeen
from controller.chain.values import BlockRef
from controller.contracts.contract import Contract, build
from controller.contracts.history import Signed
from controller.contracts.intents import Kind, Payment
from controller.contracts.life import ContractState
from controller.contracts.parties import OutputForm
from controller.contracts.paths import Outcome
from controller.contracts.store.intents import NewIntent, enter_intent
from controller.contracts.store.listener import ContractListener
from controller.contracts.store.log import Place, Told
from controller.contracts.store.registry import (
    NewContract,
    approve_to_open,
    create,
    find,
    place_of,
)
from controller.contracts.store.transactions import Made
from controller.contracts.templates import treasury
from controller.storage.engine import Storage
from controller.storage.tables import (
    chain_state,
    contract_events,
    contract_intents,
    contract_transactions,
)
from shared.approvals.intents import PaymentIntent, PaymentOutput
from shared.bitcoin import script
from shared.bitcoin.hashes import sha256
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.integration.controller.contracts.parameters import NETWORK, people
from tests.nodes import StillClock

TOLD = Told("user:1", 1_700_000_000_000)
DEPTH = 3
FEE_SAT = 1_000
AMOUNT_SAT = 100_000
PAYEE = TxOut(40_000, script.witness_program(0, bytes(20)))


def treasury_of(first: int = 0, output: OutputForm = OutputForm.TR) -> Contract:
    """One of one, of the person at that place."""
    terms = treasury.TreasuryTerms(1, people()[first : first + 1], output)
    return build(treasury.TEMPLATE, terms, NETWORK)


def new_treasury(name: str = "till", first: int = 0, deadline: int | None = None) -> NewContract:
    return NewContract("own", name, treasury_of(first), 1, DEPTH, deadline)


def funding(contract: Contract, number: int = 0) -> Transaction:
    """Somebody pays the contract's first output."""
    paid = TxOut(AMOUNT_SAT, contract.output("treasury", 0).script_pubkey)
    return Transaction(2, (TxIn(OutPoint(sha256(bytes((number,))), 0)),), (paid,), 0)


def spending(contract: Contract, coin: OutPoint, intent: bytes, fee_sat: int = FEE_SAT) -> Made:
    """Pays somebody from the coin, change to the contract's own; nobody has signed it really."""
    change = contract.output("treasury", 1, 1).script_pubkey
    left = TxOut(AMOUNT_SAT - PAYEE.amount_sat - fee_sat, change)
    made = Transaction(2, (TxIn(coin),), (PAYEE, left), 0)
    signed = Signed(Kind.PAYMENT, frozenset((intent,)), made, frozenset((1,)), fee_sat)
    return Made(signed, "spend", Outcome.CONTINUES)


def payment(number: int, reference: str | None = None) -> NewIntent:
    """An approved payment with that unique number."""
    payee = PaymentOutput(PAYEE.amount_sat, script=PAYEE.script_pubkey)
    unique = number.to_bytes(16, "big")
    approved = PaymentIntent("till", (payee,), "spend", 5_000, 1_800_000_000_000, unique)
    return NewIntent(Payment(approved), sha256(unique), reference)


@dataclass
class World:
    """The database with one open contract, and the blocks that were told."""

    storage: Storage
    contract: Contract
    contract_id: int
    listener: ContractListener
    blocks: list[BlockSeen] = field(default_factory=list)
    coins: dict[OutPoint, TxOut] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        with self.storage.read() as conn:
            return place_of(find(conn, self.contract_id))

    def state(self) -> ContractState:
        return self.place.state

    def place_in(self, conn: Connection) -> Place:
        return place_of(find(conn, self.contract_id))

    def mine(self, *transactions: Transaction) -> BlockSeen:
        """The next block; its facts are those of the contract's own scripts."""
        height = len(self.blocks) + 1
        digest = sha256(height.to_bytes(4, "big") + b"".join(one.txid for one in transactions))
        previous = self.blocks[-1].ref.block_hash if self.blocks else bytes(32)
        ref = BlockRef(height, digest)
        facts = tuple(fact for one in transactions for fact in self._facts(one, ref))
        seen = BlockSeen(ref, previous, 1_700_000_000 + height, transactions, facts)
        with self.storage.write() as conn:
            self.listener.connected(conn, seen)
        self.blocks.append(seen)
        return seen

    def mine_empty(self, count: int) -> None:
        for _ in range(count):
            self.mine()

    def undo(self) -> BlockSeen:
        """The newest block is disconnected."""
        gone = self.blocks.pop()
        with self.storage.write() as conn:
            self.listener.disconnected(
                conn, BlockDisconnected(gone.ref, gone.previous_hash, gone.facts)
            )
        return gone

    def _facts(self, one: Transaction, ref: BlockRef) -> Sequence[Fact]:
        found = []
        at = ref.height, ref.block_hash
        for place, spent in enumerate(one.inputs):
            coin = self.coins.get(spent.outpoint)
            if coin is not None:
                what = one.txid, place, spent.outpoint, coin.script_pubkey, coin.amount_sat
                found.append(Fact(FactKind.SPENT, *what, False, *at))
        for place, made in enumerate(one.outputs):
            if made != PAYEE:
                point = one.outpoint(place)
                self.coins[point] = made
                what = one.txid, place, point, made.script_pubkey, made.amount_sat
                found.append(Fact(FactKind.RECEIVED, *what, False, *at))
        return found

    def enter(self, new: NewIntent) -> Place:
        with self.storage.write() as conn:
            return enter_intent(conn, place_of(find(conn, self.contract_id)), new, TOLD)

    def intents(self) -> dict[bytes, str]:
        with self.storage.read() as conn:
            rows = conn.execute(select(contract_intents.c.id, contract_intents.c.state))
            return {row.id: row.state for row in rows}

    def transactions(self) -> dict[bytes, str]:
        with self.storage.read() as conn:
            query = select(contract_transactions.c.txid, contract_transactions.c.state)
            return {row.txid: row.state for row in conn.execute(query)}

    def log(self) -> list[str]:
        with self.storage.read() as conn:
            query = select(contract_events.c.what).where(
                contract_events.c.contract_id == self.contract_id
            )
            return list(conn.scalars(query.order_by(contract_events.c.number)))


def open_world(storage: Storage, deadline: int | None = None) -> World:
    """A contract that is approved and watched, before its first block."""
    listener = ContractListener(StillClock())
    with storage.write() as conn:
        conn.execute(insert(chain_state).values(id=1, network="regtest", start_height=0))
        place = create(conn, new_treasury(deadline=deadline), TOLD)
        listener.watch_contract(conn, place.contract_id)
        place = approve_to_open(conn, place, TOLD)
    return World(storage, treasury_of(), place.contract_id, listener)


def reopen_world(storage: Storage, contract_id: int) -> World:
    """The same contract, as a process sees it that begins."""
    return World(storage, treasury_of(), contract_id, ContractListener(StillClock()))
