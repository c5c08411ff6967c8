"""Accounts with approvers' keys in a controller's database, for tests of approvals."""

from dataclasses import dataclass, field, replace

from sqlalchemy import func, insert, select

from controller.access import people
from controller.access.approvals import keys
from controller.access.approvals.attempts import attempt
from controller.access.approvals.decisions import ApprovalDesk, Delivery, decide
from controller.access.approvals.requests import Wish, case_of, locked_request, open_request
from controller.access.callers import UserKind
from controller.access.permissions import Grant, Role, parse_scope
from controller.clock import Clock
from controller.storage import tables
from controller.storage.engine import Storage
from shared.approvals.intents import AnyIntent
from shared.approvals.judgement import SignedDecision
from shared.approvals.keys import KeyKind, key_id_of
from shared.approvals.life import ApprovalState
from shared.approvals.statement import Case, Decision, Policy
from tests.approvers import (
    HOUR_MS,
    PARTY,
    PAYMENT,
    Ed25519Approver,
    PasskeyApprover,
    with_file,
    with_passkey,
)

APPROVERS = ("alice", "bob", "carol")
INITIATOR = "dave"
STRANGER = "eve"


@dataclass(slots=True)
class Office:
    """Alice, Bob and Carol may approve; Dave asks; Eve may approve too, and is not named."""

    storage: Storage
    clock: Clock
    desk: ApprovalDesk = field(default_factory=lambda: ApprovalDesk(party=PARTY))
    users: dict[str, int] = field(default_factory=dict)

    def open(self) -> "Office":
        """Enters everybody, with a key in a file and a passkey each, confirmed."""
        for name in (*APPROVERS, INITIATOR, STRANGER):
            self.hire(name)
            self.register(with_file(name))
            self.register(with_passkey(name))
        return self

    def hire(self, name: str, role: Role = Role.OPERATOR, scope: str = "company") -> int:
        """Adds a person."""
        with self.storage.write() as conn:
            new = people.NewUser(name, name.title(), UserKind.PERSON, None)
            self.users[name] = people.add_user(conn, self.clock, new, people.HOST)
        self.appoint(name, role, scope)
        return self.users[name]

    def appoint(self, name: str, role: Role, scope: str = "company") -> None:
        """Gives a person a role."""
        with self.storage.write() as conn:
            given = Grant(role, parse_scope(scope))
            people.grant(conn, self.clock, self.users[name], given, people.HOST)

    def owner(self, name: str) -> keys.Owner:
        """The account as an owner of keys."""
        return keys.Owner(self.users[name], name, f"user:{self.users[name]}")

    def register(
        self, approver: Ed25519Approver | PasskeyApprover, *, confirmed: bool = True
    ) -> int:
        """Enters a key as if it had been registered and confirmed by another."""
        kind = KeyKind.PASSKEY if isinstance(approver, PasskeyApprover) else KeyKind.ED25519
        user_id = self.users[approver.person]
        with self.storage.write() as conn:
            key: int = conn.execute(
                insert(tables.approval_keys)
                .values(
                    user_id=user_id,
                    kind=kind.value,
                    key_id=key_id_of(kind, approver.public_key),
                    public_key=approver.public_key,
                    credential_id=approver.public_key[-16:] if kind is KeyKind.PASSKEY else None,
                    sign_count=0 if kind is KeyKind.PASSKEY else None,
                    name="key",
                    created_ms=self.clock.now_ms(),
                    confirmed_ms=self.clock.now_ms() if confirmed else None,
                )
                .returning(tables.approval_keys.c.id)
            ).scalar_one()
        return key

    def ask(
        self,
        intent: AnyIntent = PAYMENT,
        *,
        people_named: tuple[str, ...] = APPROVERS,
        quorum: int = 2,
        initiator: str = INITIATOR,
    ) -> Case:
        """Opens a request that expires in an hour."""
        wish = Wish(
            intent=intent,
            initiator_id=self.users[initiator],
            initiator=initiator,
            actor=f"user:{self.users[initiator]}",
            policy=Policy.of(people_named, quorum),
            rule="test",
            expires_ms=self.clock.now_ms() + HOUR_MS,
        )
        with self.storage.write() as conn:
            return case_of(locked_request(conn, open_request(conn, self.clock, wish)))

    def deliver(self, case: Case, signed: SignedDecision, by: str = INITIATOR) -> ApprovalState:
        """Brings an answer, as the interface does."""
        delivery = Delivery(case.request, signed, f"user:{self.users[by]}")
        return attempt(
            self.storage,
            self.clock,
            delivery.delivered_by,
            lambda conn: decide(conn, self.clock, self.desk, delivery),
        )

    def say(self, case: Case, person: str, decision: Decision = Decision.APPROVE) -> ApprovalState:
        """A person's own answer with the key in his file."""
        return self.deliver(case, with_file(person).sign(case, decision))

    def state(self, case: Case) -> str:
        """The state that is kept."""
        with self.storage.read() as conn:
            query = select(tables.approval_requests.c.state)
            query = query.where(tables.approval_requests.c.id == case.request)
            return str(conn.scalars(query).one())

    def answers(self, case: Case) -> int:
        """How many answers are kept."""
        with self.storage.read() as conn:
            query = select(func.count()).where(tables.approvals.c.request_id == case.request)
            return conn.scalar(query) or 0

    def refusals(self) -> list[str]:
        """The reasons of the refused attempts that were recorded, sorted."""
        with self.storage.read() as conn:
            query = select(tables.security_events).order_by(tables.security_events.c.id)
            rows = conn.execute(query.where(tables.security_events.c.kind == "approval_refused"))
            return sorted(
                reason for row in rows for reason in [row.detail["reason"]] * row.occurrences
            )

    def leaves(self, prefix: str = "approval") -> list[str]:
        """The kinds of the audit leaves about approvals."""
        with self.storage.read() as conn:
            kinds = conn.scalars(
                select(tables.audit_leaves.c.kind).order_by(tables.audit_leaves.c.id)
            )
            return [kind for kind in kinds if kind.startswith(prefix)]


def other_payment(number: int = 1) -> AnyIntent:
    """The same payment once more."""
    return replace(PAYMENT, unique=bytes([number]) * 16)
