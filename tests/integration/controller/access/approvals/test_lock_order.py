"""Roles given by approval while accounts are changed: on PostgreSQL neither stops the other."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Connection, func, select, text

from controller.access import people
from controller.access.approvals import grants
from controller.access.permissions import Role
from controller.storage import tables
from shared.approvals.intents import AnyIntent, IntentKind
from shared.approvals.life import ApprovalState
from tests.approvers import GRANT, with_file
from tests.offices import Office

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
_WAITS = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


class Meanwhile:
    """An administrator who disables an account in a transaction of his own."""

    def __init__(self, office: Office, whose: str = "eve") -> None:
        self.office = office
        self.whose = whose
        self.is_done = False
        self._thread = threading.Thread(target=self._disable)

    def _disable(self) -> None:
        office = self.office
        with office.storage.write() as conn:
            user_id = office.users[self.whose]
            people.set_disabled(conn, office.clock, user_id, people.HOST, disabled=True)
        self.is_done = True

    def begin(self) -> None:
        """Goes on when it is done, or waits for a lock of ours."""
        self._thread.start()
        deadline_s = time.monotonic() + 60
        while self._thread.is_alive() and not self._waits():
            assert time.monotonic() < deadline_s
            time.sleep(0.005)

    def _waits(self) -> bool:
        with self.office.storage.engine.connect() as conn:
            return bool(conn.scalar(_WAITS))

    def end(self) -> None:
        """It was done."""
        self._thread.join(60)
        assert self.is_done


@pytest.fixture
def administrators(office: Office) -> Office:
    """Gina, Hugo and Ines administer the company; Hugo asks, and who asks is locked later than
    Gina and earlier than Ines."""
    for name in ("gina", "hugo", "ines"):
        office.hire(name, Role.ADMINISTRATOR)
        office.register(with_file(name))
    return office


def given(office: Office, user: str, approver: str) -> ApprovalState:
    """Hugo asks for a role for somebody, and one approves."""
    case = office.ask(
        replace(GRANT, user=user), people_named=(approver, "alice"), quorum=1, initiator="hugo"
    )
    return office.say(case, approver)


def roles(office: Office, name: str) -> int:
    """How many roles somebody has."""
    with office.storage.read() as conn:
        mine = tables.role_grants.c.user_id == office.users[name]
        return conn.scalar(select(func.count()).where(mine)) or 0


def acting(office: Office, act: Callable[[Connection, AnyIntent, int], str]) -> None:
    """The act that begins with the last approval."""
    office.desk = replace(office.desk, acts={IntentKind.USER_GRANT: act})


@pytest.mark.parametrize("whose", ["eve", "ines"])
def test_an_approver_who_has_answered_is_no_obstacle_to_a_change_of_accounts(
    administrators: Office, whose: str
) -> None:
    office = administrators
    meanwhile = Meanwhile(office, whose)

    def act(conn: Connection, intent: AnyIntent, initiator_id: int) -> str:
        meanwhile.begin()
        return grants.give(conn, office.clock, intent, initiator_id)

    acting(office, act)
    assert given(office, "bob", "ines") is ApprovalState.USED
    meanwhile.end()
    assert roles(office, "bob") == 2


def test_a_role_for_an_administrator_is_given_while_accounts_are_changed(
    administrators: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = administrators
    meanwhile, named = Meanwhile(office), people.user_named

    def user_named(conn: Connection, name: str) -> object:
        meanwhile.begin()
        return named(conn, name)

    monkeypatch.setattr(people, "user_named", user_named)
    acting(office, lambda conn, intent, by: grants.give(conn, office.clock, intent, by))
    assert given(office, "gina", "ines") is ApprovalState.USED
    meanwhile.end()
    assert roles(office, "gina") == 2
