"""Approved intents, each entered once."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from controller.contracts.intents import Cancel, Kind, Payment, ProofOfFunds, Sweep
from controller.contracts.store.intent_life import IntentState, intents_before
from controller.contracts.store.log import Place, Told
from controller.contracts.store.registry import lock, note, place_of
from controller.errors import ConflictError, MissingError
from controller.storage.tables import contract_intents
from shared.approvals.intents import PaymentIntent
from shared.errors import BadInputError
from shared.messages import cbor

MAX_REFERENCE = 200


@dataclass(frozen=True, slots=True)
class NewIntent:
    """An approved intent: `digest` is what its approvers signed.

    `external_reference` is the debt's name in the organisation's other books; it has one intent.
    """

    approved: Payment | Cancel | Sweep | ProofOfFunds
    digest: bytes
    external_reference: str | None = None

    def __post_init__(self) -> None:
        if len(self.digest) != 32:
            raise BadInputError("digest", f"{len(self.digest)} bytes", "32 bytes")
        text = self.external_reference
        if text is not None and not (1 <= len(text) <= MAX_REFERENCE and text.isprintable()):
            allowed = f"1 to {MAX_REFERENCE} printable characters"
            raise BadInputError("external_reference", repr(text[:80]), allowed)


def enter_intent(conn: Connection, place: Place, new: NewIntent, told: Told) -> Place:
    """Enters an intent. `ConflictError` where its number or external reference was used."""
    row, approved = lock(conn, place.contract_id), new.approved
    if place_of(row) != place:
        raise ConflictError(f"the contract {place.contract_id} has changed meanwhile")
    same = contract_intents.c.id == approved.id
    if new.external_reference is not None:
        same = or_(
            same,
            (contract_intents.c.organisation == row.organisation)
            & (contract_intents.c.external_reference == new.external_reference),
        )
    if conn.execute(select(contract_intents.c.id).where(same)).first() is not None:
        raise ConflictError("an intent of that number or external reference was entered before")
    _enter(conn, row.organisation, place, new, told)
    said = told.saying(intent=approved.id, kind=approved.kind.value, digest=new.digest)
    return note(conn, place, "intent entered", said)


def _enter(conn: Connection, organisation: str, place: Place, new: NewIntent, told: Told) -> None:
    approved = new.approved
    row = {
        "id": approved.id,
        "contract_id": place.contract_id,
        "organisation": organisation,
        "kind": approved.kind.value,
        "digest": new.digest,
        "body": cbor.encode(approved.approved.to_fields()),
        "external_reference": new.external_reference,
        "fee_ceiling_sat": approved.fee_ceiling_sat,
        "deadline_ms": approved.deadline_ms,
        "state": IntentState.OPEN.value,
        "created_ms": told.now_ms,
    }
    try:
        conn.execute(insert(contract_intents).values(row))
    except IntegrityError as error:  # another contract's transaction was first
        raise ConflictError("an intent of that number or reference was entered") from error


def payments(conn: Connection, contract_id: int, intents: Collection[bytes]) -> list[Payment]:
    """Payments as they were approved, for `rules`; `MissingError` where one is not there."""
    found = conn.execute(
        select(contract_intents.c.id, contract_intents.c.body).where(
            contract_intents.c.id.in_(intents),
            contract_intents.c.contract_id == contract_id,
            contract_intents.c.kind == Kind.PAYMENT.value,
        )
    ).all()
    missing = set(intents) - {row.id for row in found}
    if missing:
        raise MissingError("payment", min(missing).hex())
    return [Payment(PaymentIntent.from_fields(cbor.decode(row.body))) for row in found]


def lapse_intent(conn: Connection, place: Place, intent: bytes, told: Told) -> Place:
    """Ends an intent whose deadline passed before anything was signed for it.

    `ConflictError` where it has not passed, or something was signed.
    """
    changed = conn.execute(
        update(contract_intents)
        .where(
            contract_intents.c.id == intent,
            contract_intents.c.contract_id == place.contract_id,
            contract_intents.c.state.in_(intents_before(IntentState.LAPSED)),
            contract_intents.c.deadline_ms <= told.now_ms,
        )
        .values(state=IntentState.LAPSED.value)
    )
    if changed.rowcount != 1:
        raise ConflictError(f"the intent {intent.hex()} is not one that has lapsed")
    return note(conn, place, "intent lapsed", told.saying(intent=intent))


def sign_intents(conn: Connection, contract_id: int, intents: Collection[bytes]) -> None:
    """Marks intents as signed; `ConflictError` where one has ended, or is of another contract."""
    open_states = [*intents_before(IntentState.SIGNED), IntentState.SIGNED.value]
    changed = 0
    for some in _in_portions(intents):
        changed += conn.execute(
            update(contract_intents)
            .where(
                contract_intents.c.id.in_(some),
                contract_intents.c.contract_id == contract_id,
                contract_intents.c.state.in_(open_states),
            )
            .values(state=IntentState.SIGNED.value)
        ).rowcount
    if changed != len(set(intents)):
        raise ConflictError("an intent has ended, or is not one of this contract")


def _in_portions(intents: Iterable[bytes], most: int = 500) -> Iterable[list[bytes]]:
    ordered = sorted(set(intents))
    return (ordered[at : at + most] for at in range(0, len(ordered), most))


def end_intents(conn: Connection, kind: Kind, intents: list[bytes], approval: bytes | None) -> None:
    """What a final transaction of that kind ends; a child ends nothing."""
    if kind is Kind.CHILD:
        return
    state = IntentState.CANCELLED if kind is Kind.CANCEL else IntentState.DONE
    _end(conn, state, intents)
    if approval is not None:
        _end(conn, IntentState.DONE, [approval])


def _end(conn: Connection, state: IntentState, intents: list[bytes]) -> None:
    conn.execute(
        update(contract_intents)
        .where(
            contract_intents.c.id.in_(intents),
            contract_intents.c.state.in_(intents_before(state)),
        )
        .values(state=state.value)
    )
