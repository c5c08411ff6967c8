"""`bes user` on the controller's host: the first administrator, accounts, tokens; and the token
file of a host's programs."""

from pathlib import Path

import pytest
from sqlalchemy import select

from controller.access import api_tokens
from controller.access.callers import grants_of
from controller.access.cli import main
from controller.access.desk import AccessDesk
from controller.access.permissions import COMPANY, Grant, Permission, Role
from controller.access.sessions import Opened
from controller.clock import SystemClock
from controller.config import AccessConfig
from controller.storage.engine import Storage
from controller.storage.tables import audit_leaves, users

PASSWORD = "a password from a file"


@pytest.fixture
def config(storage: Storage, database_url: str, tmp_path: Path) -> Path:
    """A configuration file that names the fresh database."""
    path = tmp_path / "controller.toml"
    path.write_text(f'[database]\nurl = "{database_url}"\n')
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    return path


def run(config: Path, *arguments: str) -> int:
    command, *rest = arguments
    return main([command, "--config", str(config), *rest])


def add(config: Path, command: str, name: str, *more: str) -> int:
    password_file = str(config.with_name("password"))
    return run(config, command, name, "--password-file", password_file, *more)


def desk(storage: Storage) -> AccessDesk:
    return AccessDesk(storage, SystemClock(), AccessConfig())


def test_there_is_one_first_administrator(
    storage: Storage, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(config, "first-administrator", "anna") == 0
    assert add(config, "first-administrator", "adam") == 2
    assert "administrator already" in capsys.readouterr().err
    with storage.read() as conn:
        names = list(conn.scalars(select(users.c.name)))
        kinds = list(conn.scalars(select(audit_leaves.c.kind).order_by(audit_leaves.c.id)))
    assert names == ["anna"]
    assert kinds == ["user.added", "user.granted"]


def test_a_weak_password_or_bad_name_is_refused(
    storage: Storage, config: Path, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("short\n")
    assert add(config, "add", "anna") == 2
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    assert add(config, "add", "../anna") == 2
    with storage.read() as conn:
        assert conn.execute(select(users)).all() == []


def test_a_token_is_printed_once_and_does_what_it_is_for(
    storage: Storage, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(config, "add", "grafana", "--service", "--role", "viewer") == 0
    capsys.readouterr()
    asked = ("--for", "dashboards", "--permission", "fleet.read", "--days", "7")
    assert run(config, "token", "grafana", *asked) == 0
    token = capsys.readouterr().out.strip()
    caller = desk(storage).by_token(token)
    assert caller is not None
    assert caller.may(Permission.FLEET_READ, COMPANY)
    assert not caller.may(Permission.EVENTS_READ, COMPANY)
    assert run(config, "disable", "grafana") == 0
    assert desk(storage).by_token(token) is None
    assert run(config, "enable", "grafana") == 0
    assert desk(storage).by_token(token) is not None


def test_an_account_that_is_not_there_is_told(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("disable", "enable", "unlock", "reset-factor"):
        assert run(config, command, "nobody") == 2
    assert "there is no account 'nobody'" in capsys.readouterr().err


def test_the_token_file_opens_what_its_roles_give_and_ends_when_it_changes(
    storage: Storage,
) -> None:
    clock = SystemClock()

    def enter(token: str, *roles: Role) -> None:
        with storage.write() as conn:
            api_tokens.enter_service_token(conn, clock, token, roles)

    enter("a" * 40, Role.OPERATOR)
    enter("a" * 40, Role.OPERATOR)
    caller = desk(storage).by_token("a" * 40)
    assert caller is not None
    assert (caller.name, caller.grants) == ("service", (Grant(Role.OPERATOR, COMPANY),))
    assert not caller.may(Permission.APPROVALS_DECIDE, COMPANY)
    enter("b" * 40, Role.VIEWER)
    assert desk(storage).by_token("a" * 40) is None
    assert desk(storage).by_token("b" * 40) is not None
    with storage.read() as conn:
        assert grants_of(conn, caller.user_id) == (Grant(Role.VIEWER, COMPANY),)


def test_a_first_password_opens_nothing_but_its_change_and_ends_what_was_before(
    storage: Storage, config: Path
) -> None:
    assert add(config, "first-administrator", "anna") == 0
    assert add(config, "add", "bert") == 0
    with storage.read() as conn:
        kept = select(users.c.name, users.c.first_password_until_real_ms)
        until = {row.name: row.first_password_until_real_ms for row in conn.execute(kept)}
    assert until["anna"] is None
    assert until["bert"] is not None
    assert add(config, "first-password", "anna") == 0
    assert add(config, "first-password", "nobody") == 2
    opened = desk(storage).sign_in("anna", PASSWORD, "192.0.2.1", "")
    assert isinstance(opened, Opened)
    admitted = desk(storage).by_session(opened.secret, is_request=True)
    assert admitted is not None
    assert admitted.caller.session is not None
    assert admitted.caller.session.has_first_password


def test_a_role_is_taken_back_but_not_the_last_administrator_s(
    storage: Storage, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    administrator = ("--role", "administrator")
    assert add(config, "first-administrator", "anna") == 0
    assert add(config, "add", "bert", *administrator) == 0
    assert run(config, "revoke", "bert", "--role", "viewer") == 2
    assert run(config, "revoke", "bert", *administrator) == 0
    assert run(config, "revoke", "anna", *administrator) == 2
    assert "no administrator left" in capsys.readouterr().err
    with storage.read() as conn:
        ids = {row.name: row.id for row in conn.execute(select(users.c.name, users.c.id))}
        assert grants_of(conn, ids["bert"]) == ()
        assert grants_of(conn, ids["anna"]) == (Grant(Role.ADMINISTRATOR, COMPANY),)
