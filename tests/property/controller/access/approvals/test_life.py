"""Whatever happens in whatever order: nothing is approved or used without a true quorum."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from controller.access.approvals import keys
from controller.access.approvals.requests import end_if_overdue, withdraw
from controller.access.approvals.use import approved_intent
from controller.errors import ConflictError
from controller.storage.engine import Storage
from controller.storage.migrate import migrate
from shared.approvals.life import TERMINAL_STATES, ApprovalState
from shared.approvals.statement import Case, Decision
from tests.approvers import HOUR_MS, PARTY, PAYMENT, with_file, with_passkey
from tests.nodes import StillClock
from tests.offices import APPROVERS, Office

PEOPLE = (*APPROVERS, "dave", "eve")
_TEMPLATE: list[Path] = []


@pytest.fixture(scope="module", autouse=True)
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A migrated file with an office in it, to copy."""
    path = tmp_path_factory.mktemp("office") / "controller.db"
    storage = Storage(f"sqlite:///{path}")
    migrate(storage)
    Office(storage, StillClock()).open()
    with storage.engine.connect() as conn:
        conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    storage.close()
    _TEMPLATE.append(path)
    yield
    _TEMPLATE.clear()


class Events(RuleBasedStateMachine):
    """One request, and a model that knows only who said what in time with which key."""

    @initialize(initiator=st.sampled_from(("dave", "alice")), quorum=st.integers(1, 2))
    def begin(self, initiator: str, quorum: int) -> None:
        """A request of Dave's, or of Alice's, who is named herself."""
        self.folder = TemporaryDirectory()
        path = Path(self.folder.name) / "controller.db"
        shutil.copyfile(_TEMPLATE[0], path)
        self.clock = StillClock()
        self.office = Office(Storage(f"sqlite:///{path}"), self.clock)
        self.office.users = {name: number for number, name in enumerate(PEOPLE, 1)}
        self.initiator = initiator
        self.case: Case = self.office.ask(quorum=quorum, initiator=initiator)
        self.said: dict[str, set[str]] = {}
        self.revoked: set[str] = set()
        self.refused = self.withdrawn = False
        self.uses = 0
        self.before = "pending"

    @rule(
        person=st.sampled_from(PEOPLE),
        decision=st.sampled_from((Decision.APPROVE, Decision.APPROVE, Decision.REFUSE)),
        passkey=st.booleans(),
        proper=st.sampled_from((True, True, False)),
    )
    def say(self, person: str, decision: Decision, *, passkey: bool, proper: bool) -> None:
        """Somebody answers, sometimes on another request."""
        other = Case("another", self.case.intent, "dave", self.case.policy, 9)
        over = self.case if proper else other
        approver = with_passkey(person) if passkey else with_file(person)
        counts = (
            proper
            and self.office.state(self.case) == "pending"
            and self.clock.time_ms < self.case.expires_at_ms
            and person in APPROVERS
            and person != self.initiator
            and person not in self.revoked
        )
        with suppress(ConflictError):
            self.office.deliver(self.case, approver.sign(over, decision))
            assert counts
            self.refused |= decision is Decision.REFUSE
            if decision is Decision.APPROVE:
                self.said.setdefault(person, set()).add("approve")

    @rule(person=st.sampled_from(APPROVERS))
    def revoke(self, person: str) -> None:
        """All keys of somebody's are revoked."""
        with suppress(ConflictError), self.office.storage.write() as conn:
            for row in keys.keys_of(conn, self.office.users[person]):
                keys.revoke(conn, self.clock, row.id, "user:0")
            self.revoked.add(person)

    @rule(minutes=st.integers(1, 40))
    def time_passes(self, minutes: int) -> None:
        """And the job looks for what is overdue."""
        self.clock.time_ms += minutes * HOUR_MS // 60
        with self.office.storage.write() as conn:
            end_if_overdue(conn, self.clock, self.case.request)

    @rule(person=st.sampled_from(("alice", "dave")))
    def take_back(self, person: str) -> None:
        """Somebody withdraws it."""
        user_id = self.office.users[person]
        with suppress(ConflictError), self.office.storage.write() as conn:
            withdraw(conn, self.clock, self.case.request, user_id, f"user:{user_id}")
            assert person == self.initiator
            self.withdrawn = True

    @rule()
    def use(self) -> None:
        """Somebody acts on it."""
        with suppress(ConflictError), self.office.storage.write() as conn:
            digest = self.case.digest
            read = approved_intent(conn, self.clock, PARTY, self.case.request, digest)
            assert read == PAYMENT
            assert len(set(self.said) - self.revoked) >= self.case.policy.quorum
            self.uses += 1

    @invariant()
    def only_a_quorum_approves(self) -> None:
        """And what has ended stays as it is."""
        state = self.office.state(self.case)
        if self.before in {terminal.value for terminal in TERMINAL_STATES}:
            assert state == self.before
        if state in {ApprovalState.APPROVED.value, ApprovalState.USED.value}:
            assert len(self.said) >= self.case.policy.quorum
            assert not self.refused
            assert not self.withdrawn
        assert self.initiator not in self.said
        assert self.uses == (state == ApprovalState.USED.value)
        self.before = state

    def teardown(self) -> None:
        """Closes the file."""
        if hasattr(self, "office"):
            self.office.storage.close()
            self.folder.cleanup()


Events.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestEvents = Events.TestCase
