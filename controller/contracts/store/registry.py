"""Contracts: entered, found, decided on, moved."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select

from controller.audit import queue_leaf
from controller.contracts.catalogue import load_template
from controller.contracts.contract import CHANGE, RECEIVE, Contract, build
from controller.contracts.life import ContractEvent, ContractState
from controller.contracts.store.log import Entry, Place, Told, append, entry_of
from controller.contracts.terms import decode, plain
from controller.errors import ConflictError, MissingError
from controller.storage.tables import contract_events, contract_scripts, contracts
from controller.storage.upsert import insert_missing
from shared.bitcoin.descriptors import Descriptor, parse
from shared.bitcoin.networks import Network
from shared.errors import BadInputError
from shared.messages import cbor

GAP = 20
"""So many outputs of each branch are watched beyond the last one that was used."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class NewContract:
    """A contract to be: `birth_height` is the first block that can pay to it."""

    organisation: str
    name: str
    contract: Contract
    birth_height: int
    finality_depth: int = 100
    funding_deadline_height: int | None = None

    def __post_init__(self) -> None:
        for field, value in (("organisation", self.organisation), ("name", self.name)):
            if not _NAME.fullmatch(value):
                raise BadInputError(field, repr(value[:80]), "1 to 63 of a-z, 0-9 and -")
        if not 0 <= self.birth_height < 2**31:
            raise BadInputError("birth_height", str(self.birth_height), "a block's height")
        if not 2 <= self.finality_depth <= 1_000:
            raise BadInputError("finality_depth", str(self.finality_depth), "2 to 1,000 blocks")
        deadline = self.funding_deadline_height
        if deadline is not None and not self.birth_height <= deadline < 2**31:
            raise BadInputError("funding_deadline_height", str(deadline), "at birth or later")


def create(conn: Connection, new: NewContract, told: Told) -> Place:
    """Enters a draft with its scripts. `ConflictError` where its name or a script is taken.

    Its scripts are to be watched (`listener.ContractListener.watch_contract`) in the same
    transaction.
    """
    taken = select(contracts.c.id).where(
        contracts.c.organisation == new.organisation, contracts.c.name == new.name
    )
    if conn.execute(taken).first() is not None:
        raise ConflictError(f"{new.organisation} has a contract {new.name!r} already")
    contract = new.contract
    texts = {part: one.text for part, one in contract.descriptors.items()}
    parameters = cbor.encode(plain(contract.terms))
    contract_id: int = conn.execute(
        insert(contracts)
        .values(
            organisation=new.organisation,
            name=new.name,
            template=contract.template,
            network=contract.network.value,
            parameters=parameters,
            descriptors=texts,
            birth_height=new.birth_height,
            finality_depth=new.finality_depth,
            funding_deadline_height=new.funding_deadline_height,
            state=ContractState.DRAFT.value,
            created_ms=told.now_ms,
        )
        .returning(contracts.c.id)
    ).scalar_one()
    for part, descriptor in contract.descriptors.items():
        for branch in (RECEIVE, CHANGE):
            enter_scripts(conn, (contract_id, part, branch), descriptor, GAP)
    conn.execute(
        insert(contract_events).values(
            contract_id=contract_id,
            number=1,
            what="created",
            state=ContractState.DRAFT.value,
            opens_incident=0,
            actor=told.actor,
            body=cbor.encode(dict(told.data)),
            time_ms=told.now_ms,
        )
    )
    queue_leaf(
        conn,
        kind="contract.created",
        actor=told.actor,
        subject=str(contract_id),
        data={
            "organisation": new.organisation,
            "name": new.name,
            "template": contract.template,
            "network": contract.network.value,
            "parameters": parameters,
            "descriptors": texts,
            "birth_height": new.birth_height,
        },
        now_ms=told.now_ms,
    )
    return Place(contract_id, ContractState.DRAFT, 1)


def enter_scripts(
    conn: Connection, at: tuple[int, str, int], descriptor: Descriptor, until: int
) -> list[bytes]:
    """Enters the scripts of a part's branch below number `until`; those that are new.

    `ConflictError` where one is another contract's. A part without ranges has one.
    """
    contract_id, part, branch = at
    if not descriptor.is_ranged:
        until = 1 if branch == RECEIVE else 0
    mine = select(contract_scripts.c.number).where(
        contract_scripts.c.contract_id == contract_id,
        contract_scripts.c.part == part,
        contract_scripts.c.branch == branch,
    )
    first = max(conn.scalars(mine), default=-1) + 1
    made = [descriptor.at(number, branch).script_pubkey for number in range(first, until)]
    rows = [
        {
            "contract_id": contract_id,
            "part": part,
            "branch": branch,
            "number": number,
            "script_pubkey": script_pubkey,
        }
        for number, script_pubkey in enumerate(made, first)
    ]
    insert_missing(conn, contract_scripts, rows, ["script_pubkey"])
    if rows and len(conn.scalars(mine).all()) < until:
        raise ConflictError(f"a script of the part {part} is of another contract")
    return made


def find(conn: Connection, contract_id: int) -> Row[Any]:
    """The contract's row; `MissingError` where there is none."""
    return _row(conn, contract_id, select(contracts))


def lock(conn: Connection, contract_id: int) -> Row[Any]:
    """The same, locked until the transaction ends: nobody else moves the contract meanwhile."""
    return _row(conn, contract_id, select(contracts).with_for_update())


def _row(conn: Connection, contract_id: int, query: Select[Any]) -> Row[Any]:
    row = conn.execute(query.where(contracts.c.id == contract_id)).one_or_none()
    if row is None:
        raise MissingError("contract", contract_id)
    return row


def place_of(row: Row[Any]) -> Place:
    """Where a contract's row stands."""
    return Place(row.id, ContractState(row.state), row.version)


def load(row: Row[Any]) -> Contract:
    """The contract as it was built; `ConflictError` where the template now makes another of it."""
    contract = _built(row.template, row.parameters, Network(row.network))
    if {part: one.text for part, one in contract.descriptors.items()} != row.descriptors:
        raise ConflictError(f"the template {row.template} makes another contract of its terms now")
    return contract


@lru_cache(maxsize=256)
def _built(name: str, parameters: bytes, network: Network) -> Contract:
    template = load_template(name)
    return build(template, decode(template.terms, cbor.decode(parameters)), network)


def descriptor_of(row: Row[Any], part: str) -> Descriptor:
    """A part's descriptor, as it was agreed."""
    return parse(row.descriptors[part], Network(row.network))


def approve_to_open(conn: Connection, place: Place, told: Told) -> Place:
    """Approved: from now on it may be funded. `NoSuchStepError` unless it is a draft."""
    return _decide(conn, place, ContractEvent.APPROVED, told)


def withdraw(conn: Connection, place: Place, told: Told) -> Place:
    """Given up before any coin. `NoSuchStepError` once there is one."""
    return _decide(conn, place, ContractEvent.WITHDRAWN, told)


def _decide(conn: Connection, place: Place, event: ContractEvent, told: Told) -> Place:
    return transition_many(conn, [(place, event, told)])[0]


def transition_many(
    conn: Connection, moves: Sequence[tuple[Place, ContractEvent, Told]]
) -> list[Place]:
    """Applies events, each to its contract as it was read; where each stands after it.

    All or nothing: `ConflictError` where one has changed, `NoSuchStepError` for a decision that
    its state forbids.
    """
    entries = [entry_of(place, event, told) for place, event, told in moves]
    append(conn, entries)
    return [one.next_place for one in entries]


def note(conn: Connection, place: Place, what: str, told: Told) -> Place:
    """Writes an event that leaves the state as it is."""
    entry = Entry(place, place.state, what, told)
    append(conn, [entry])
    return entry.next_place
