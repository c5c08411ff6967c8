"""Contract executions per second, beside the signatures and Core's verification alone.

An execution drafts a payment with change, derives the private keys and signs, satisfies, checks the
drafted bounds and verifies with Core's engine. The cases named after a path alone also commit: each
execution is a transition of its own, with its version, numbered event, audit leaf, intent and
signed transaction, on SQLite with `synchronous=FULL`; a commit takes a group of them. The cases
`without_commit` leave that out.

`transitions` are state transitions without signing, of several contracts, committed in groups with
their events and audit leaves; beside it the floor: audit leaves alone, committed alike.

The coin's output and the change output are derived before the clock starts, as they are in a
wallet: a coin is only known because its script was being watched. In the `cold` cases they are
derived within the execution.

The floor signs the same digests with the same keys, already derived and tweaked, and verifies the
finished transactions; nothing else. Floor and case take turns in short groups, so that the
machine's other load falls on both; the medians of the groups are reported.

`p2tr_key` is a taproot treasury of one key, `p2wsh_2of3` a treasury of two of three in P2WSH,
`p2tr_script` the recovery path of a taproot treasury: one key and a relative lock in a leaf;
`p2tr_script_2of3` is a two-of-three in a leaf, for comparison.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from controller.audit import Leaf, queue_leaves
from controller.chain.engine import verify
from controller.contracts.context import Coin, ExecutionContext, FeeMarket, Request, Tip
from controller.contracts.contract import CHANGE, Contract, build
from controller.contracts.draft import Draft
from controller.contracts.execute import execute
from controller.contracts.history import Signed
from controller.contracts.intents import Kind, Payment
from controller.contracts.life import ContractEvent, ContractState
from controller.contracts.parties import OutputForm, Participant
from controller.contracts.shapes import script_of
from controller.contracts.signing import MemoryKeys, finish, sign
from controller.contracts.store.intents import NewIntent, enter_intent
from controller.contracts.store.log import Place, Told
from controller.contracts.store.registry import NewContract, create, transition_many
from controller.contracts.store.transactions import Made, record_signed_many
from controller.contracts.templates import decaying_treasury, treasury
from controller.storage.engine import Storage
from controller.storage.migrate import migrate
from shared.approvals.intents import PaymentIntent, PaymentOutput
from shared.bitcoin import script
from shared.bitcoin.bip32 import ExtendedPrivateKey, KeyPath
from shared.bitcoin.hashes import sha256
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.networks import Network
from shared.bitcoin.taproot import tweaked_private_key
from shared.bitcoin.transaction import OutPoint, Transaction, TxOut
from tests.bench.report import Case, beside, show, write

UNIT = "executions/s"
GROUP = 100
_NETWORK = Network.REGTEST
_TIP = Tip(900_000, 1_790_000_000)
_MARKET = FeeMarket(5_000)
_ZEROS = bytes(32)
_TOLD = Told("bench", 1_790_000_000_000)
_MOVED = 50
_TRANSITIONS = 200


@dataclass(frozen=True, slots=True)
class Subject:
    """A contract's path and all that executing it takes."""

    name: str
    contract: Contract
    path: str
    keys: MemoryKeys
    available: frozenset[str]


def make_subjects() -> list[Subject]:
    """The paths that are measured, over keys of fixed seeds."""
    accounts = [
        ExtendedPrivateKey.of_seed(bytes((number,)) * 32).derive(KeyPath.parse("48h/1h/0h/2h"))
        for number in range(1, 6)
    ]
    people = tuple(
        Participant(f"signer-{number}", one.public.serialise(_NETWORK))
        for number, one in enumerate(accounts, 1)
    )
    decay = decaying_treasury.Decay(1_000, 1, people[3:4])
    decaying = decaying_treasury.DecayingTreasuryTerms(people[4], 2, people[:3], (decay,), 2_000)

    def of(name: str, contract: Contract, path: str) -> Subject:
        names = frozenset(one.name for one in people)
        return Subject(name, contract, path, MemoryKeys(accounts), names)

    def plain(required: int, signers: int, output: OutputForm) -> Contract:
        terms = treasury.TreasuryTerms(required, people[:signers], output)
        return build(treasury.TEMPLATE, terms, _NETWORK)

    recovering = build(decaying_treasury.TEMPLATE, decaying, _NETWORK)
    return [
        of("p2tr_key", plain(1, 1, OutputForm.TR), "spend"),
        of("p2wsh_2of3", plain(2, 3, OutputForm.WSH), "spend"),
        of("p2tr_script", recovering, "recovery"),
        of("p2tr_script_2of3", plain(2, 3, OutputForm.TR), "spend"),
    ]


def run(subject: Subject, number: int) -> tuple[Draft, Transaction]:
    """One execution: the coin at index `number`, paid to somebody, change to a new address."""
    seed = sha256(number.to_bytes(8, "big"))
    coin = Coin(
        OutPoint(seed, number % 4),
        1_000_000 + number,
        subject.contract.path(subject.path).part,
        number,
        height=800_000,
        is_final=True,
    )
    approvals = frozenset((seed[:16],))
    context = ExecutionContext(_TIP, (coin,), _MARKET, subject.available, approvals, number, 1_000)
    payee = TxOut(400_000 + number, script.witness_program(0, seed[:20]))
    draft = execute(
        subject.contract, subject.path, context, Request(20_000, 2_000, seed[:16], (payee,))
    )
    signed = sign(draft, subject.keys, _ZEROS)
    return draft, finish(draft, signed, verify)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A finished execution: what its floor signs and verifies."""

    transaction: Transaction
    prevouts: tuple[TxOut, ...]
    digest: bytes
    keys: tuple[PrivateKey, ...]
    is_ecdsa: bool


def prepare(subject: Subject, done: tuple[Draft, Transaction]) -> Prepared:
    """The digest and the keys as they sign, each used once so that nothing is left to derive."""
    draft, transaction = done
    (output,) = draft.spent
    part = script_of(draft.option, output)
    if part is None:
        pairs = [(output.key_expression, output.taproot)]
        expressions = [one for one, _ in pairs if one is not None]
        root = None if output.taproot is None else output.taproot.merkle_root
    else:
        known = dict(zip(part.conditions.miniscript.keys, part.conditions.keys, strict=True))
        expressions = [
            known[name] for required, names in draft.option.key_groups for name in names[:required]
        ]
        root = None
    keys = []
    for expression in expressions:
        private = subject.keys.private_key(expression, output.branch, output.index)
        if private is None:
            raise RuntimeError("the subject's keys lack one of its own")
        keys.append(tweaked_private_key(private, root) if part is None else private)
    is_ecdsa = output.witness_script is not None
    prepared = Prepared(transaction, draft.prevouts, draft.digests[0], tuple(keys), is_ecdsa)
    sign_and_verify(prepared)
    return prepared


def sign_and_verify(one: Prepared) -> None:
    """The floor of one execution."""
    for key in one.keys:
        if one.is_ecdsa:
            key.sign_ecdsa(one.digest)
        else:
            key.sign_schnorr(one.digest, _ZEROS)
    verify(one.transaction, one.prevouts)


def watch(subject: Subject, numbers: range) -> None:
    """Derives what a wallet watches: each coin's output and the change output after it."""
    path = subject.contract.path(subject.path)
    for number in numbers:
        subject.contract.output(path.part, number)
        subject.contract.output(path.change_part, number, CHANGE)


def measure(subject: Subject, groups: int, *, is_cold: bool) -> Case:
    """Case and floor in turns; the medians over the groups."""
    first = 1_000_000 if is_cold else 1
    run(subject, 0)
    rates, floors = [], []
    for group in range(groups):
        numbers = range(first + group * GROUP, first + (group + 1) * GROUP)
        if not is_cold:
            watch(subject, numbers)
        begin = time.perf_counter()
        done = [run(subject, number) for number in numbers]
        rates.append(GROUP / (time.perf_counter() - begin))
        prepared = [prepare(subject, one) for one in done]
        begin = time.perf_counter()
        for one in prepared:
            sign_and_verify(one)
        floors.append(GROUP / (time.perf_counter() - begin))
    name = f"{subject.name}_without_commit" + ("_cold" if is_cold else "")
    return beside(name, statistics.median(rates), UNIT, statistics.median(floors))


def number_of(number: int) -> bytes:
    """The unique number of the intent that `run` carries out."""
    return sha256(number.to_bytes(8, "big"))[:16]


def open_contract(storage: Storage, subject: Subject, numbers: range) -> Place:
    """The subject's contract in the database, with an approved intent for every number."""
    with storage.write() as conn:
        name = subject.name.replace("_", "-")
        place = create(conn, NewContract("bench", name, subject.contract, 1), _TOLD)
        payee = PaymentOutput(400_000, script=script.witness_program(0, bytes(20)))
        for number in numbers:
            approved = PaymentIntent(
                name, (payee,), subject.path, 20_000, 2_000_000_000_000, number_of(number)
            )
            new = NewIntent(Payment(approved), sha256(approved.unique))
            place = enter_intent(conn, place, new, _TOLD)
    return place


def made_of(number: int, done: tuple[Draft, Transaction]) -> Made:
    """An execution as it is kept."""
    draft, transaction = done
    own = frozenset(draft.own_outputs)
    intents = frozenset((number_of(number),))
    signed = Signed(Kind.PAYMENT, intents, transaction, own, draft.fee_sat)
    return Made(signed, draft.path.name, draft.path.outcome)


def measure_committed(storage: Storage, subject: Subject, groups: int) -> Case:
    """Executions with their commits, and their floor, in turns; the medians over the groups."""
    first = 2_000_000
    place = open_contract(storage, subject, range(first, first + groups * GROUP))
    run(subject, 0)
    rates, floors = [], []
    for group in range(groups):
        numbers = range(first + group * GROUP, first + (group + 1) * GROUP)
        watch(subject, numbers)
        begin = time.perf_counter()
        done = [run(subject, number) for number in numbers]
        with storage.write() as conn:
            many = [made_of(number, one) for number, one in zip(numbers, done, strict=True)]
            place = record_signed_many(conn, place, many, _TOLD)
        rates.append(GROUP / (time.perf_counter() - begin))
        prepared = [prepare(subject, one) for one in done]
        begin = time.perf_counter()
        for one in prepared:
            sign_and_verify(one)
        floors.append(GROUP / (time.perf_counter() - begin))
    return beside(subject.name, statistics.median(rates), UNIT, statistics.median(floors))


def funded_contracts(storage: Storage) -> list[Place]:
    """Contracts that have been funded, as the chain shows it."""
    told = [ContractEvent.APPROVED, ContractEvent.FUNDED_IN_FULL]
    with storage.write() as conn:
        places = []
        for number in range(_MOVED):
            seed = sha256(b"transitions" + number.to_bytes(2, "big"))
            account = ExtendedPrivateKey.of_seed(seed).derive(KeyPath.parse("48h/1h/0h/2h"))
            person = Participant("signer", account.public.serialise(_NETWORK))
            terms = treasury.TreasuryTerms(1, (person,), OutputForm.TR)
            contract = build(treasury.TEMPLATE, terms, _NETWORK)
            places.append(create(conn, NewContract("bench", f"moved-{number}", contract, 1), _TOLD))
        for event in told:
            places = transition_many(conn, [(place, event, _TOLD) for place in places])
    return places


def measure_transitions(storage: Storage, groups: int) -> Case:
    """State transitions and audit leaves alone in turns; the medians over the groups."""
    places = funded_contracts(storage)
    rates, floors = [], []
    for _ in range(groups):
        begin = time.perf_counter()
        with storage.write() as conn:
            for _ in range(_TRANSITIONS // _MOVED):
                is_spending = places[0].state is ContractState.SPENDING
                event = ContractEvent.SPEND_UNDONE if is_spending else ContractEvent.SPEND_SEEN
                places = transition_many(conn, [(place, event, _TOLD) for place in places])
        rates.append(_TRANSITIONS / (time.perf_counter() - begin))
        begin = time.perf_counter()
        with storage.write() as conn:
            leaves = [Leaf("bench.leaf", "bench", str(n), {}) for n in range(_TRANSITIONS)]
            queue_leaves(conn, leaves, now_ms=_TOLD.now_ms)
        floors.append(_TRANSITIONS / (time.perf_counter() - begin))
    rate, floor = statistics.median(rates), statistics.median(floors)
    return beside("transitions", rate, "transitions/s", floor)


@contextmanager
def fresh_storage() -> Iterator[Storage]:
    """An empty SQLite database."""
    with tempfile.TemporaryDirectory() as folder:
        storage = Storage(f"sqlite:///{folder}/bench.db")
        migrate(storage)
        yield storage
        storage.close()


def measure_stored(subjects: Sequence[Subject], groups: int) -> list[Case]:
    """What commits, each on a database of its own."""
    cases = []
    for one in subjects:
        with fresh_storage() as storage:
            cases.append(measure_committed(storage, one, groups))
    with fresh_storage() as storage:
        cases.append(measure_transitions(storage, groups))
    return cases


def main(argv: Sequence[str] | None = None) -> int:
    """Measures every subject and writes the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.contracts", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, metavar="FILE")
    parser.add_argument("--executions", type=int, default=1_500)
    arguments = parser.parse_args(argv)
    if arguments.executions < GROUP:
        parser.error(f"at least {GROUP} executions")
    groups = arguments.executions // GROUP
    subjects = make_subjects()
    cases = measure_stored(subjects, groups)
    cases += [
        measure(subject, groups, is_cold=is_cold)
        for is_cold in (False, True)
        for subject in subjects
    ]
    write(arguments.json, "contracts", cases)
    sys.stdout.write(show(cases) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
