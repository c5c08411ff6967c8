"""Who came in and who left stands in the audit log."""

from controller.access.permissions import COMPANY, Grant, Role
from controller.storage.engine import Storage
from tests.accounts import PASSWORD, enter_account
from tests.attacks.access.interface import API, Person, SetClock, compose, leaves


def test_a_sign_in_and_a_sign_out_leave_a_leaf_each_and_a_failed_one_none(
    storage: Storage,
) -> None:
    clock = SetClock()
    enter_account(storage, clock, "olga", [Grant(Role.VIEWER, COMPANY)], password=PASSWORD)
    person = Person.at(compose(storage, clock))
    assert person.sign_in("olga", "not her password").status_code == 401
    assert leaves(storage, "session.opened") == 0
    assert person.sign_in("olga").status_code == 201
    assert (leaves(storage, "session.opened"), leaves(storage, "session.ended")) == (1, 0)
    assert person.send("DELETE", f"{API}/sessions/current").status_code == 204
    assert (leaves(storage, "session.opened"), leaves(storage, "session.ended")) == (1, 1)
