"""`bes user`: accounts, on the controller's own host against its database.

Whoever may read the configuration and write the database may do all of this; it is how the first
administrator comes to be, and how a locked-out company gets in again. Passwords come from a prompt
or a file, never from the command line. Everything leaves audit leaves with the actor `host`.
"""

import argparse
import getpass
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from controller.access import attempts, people
from controller.access.api_tokens import MOST_DAYS, NewToken, create_token
from controller.access.callers import UserKind, grants_of
from controller.access.passwords import MAX_LENGTH, check_password, hash_password
from controller.access.people import HOST, NewUser
from controller.access.permissions import COMPANY, Grant, Permission, Role, parse_scope
from controller.access.records import changed
from controller.clock import Clock, SystemClock
from controller.config import load_config
from controller.errors import ConflictError, MissingError
from controller.storage.engine import Storage
from controller.storage.tables import role_grants, users
from shared.errors import BadInputError

Command = Callable[[Connection, Clock, argparse.Namespace], str]


def main(argv: Sequence[str]) -> int:
    """Exit status: 0 done, 2 refused: nothing was changed and the reason is told."""
    arguments = _parser().parse_args(list(argv))
    try:
        config = load_config(arguments.config)
        if arguments.command in {"first-administrator", "add", "first-password"}:
            arguments.password_hash = _password_hash(arguments)
        clock = SystemClock(config.clock.scale())
        storage = Storage(config.database.url)
        try:
            with storage.write() as conn:
                told = _COMMANDS[arguments.command](conn, clock, arguments)
        finally:
            storage.close()
    except (BadInputError, ConflictError, MissingError) as error:
        sys.stderr.write(f"bes user: {error}\n")
        return 2
    except SQLAlchemyError as error:
        sys.stderr.write(f"bes user: the database: {error}\n")
        return 2
    sys.stdout.write(f"{told}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bes user", description="Accounts of the controller.")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, text: str, *, named: bool = True) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text)
        made.add_argument("--config", type=Path, required=True, metavar="FILE")
        if named:
            made.add_argument("name")
        return made

    for name, text in (
        ("first-administrator", "add the first administrator; refused when there is one"),
        ("add", "add an account, with a role where given"),
    ):
        adding = command(name, text)
        adding.add_argument("--display-name", metavar="TEXT", help="who it is; by default NAME")
        adding.add_argument("--password-file", type=Path, metavar="FILE")
        if name == "add":
            adding.add_argument("--service", action="store_true", help="a program: no password")
            _add_grant_options(adding, required=False)
    _add_grant_options(command("grant", "grant a role on a scope"), required=True)
    _add_grant_options(command("revoke", "take a role on a scope back"), required=True)
    password = command("first-password", "set a password that its owner has to change")
    password.add_argument("--password-file", type=Path, metavar="FILE")
    command("disable", "end the account's sessions and let it in no more")
    command("enable", "let it in again")
    command("unlock", "forget failed attempts to sign in")
    command("reset-factor", "forget the account's second factors")
    token = command("token", "make an API token and print it, this once")
    token.add_argument("--for", dest="purpose", required=True, metavar="TEXT")
    token.add_argument("--days", type=int, default=90, metavar="N")
    token.add_argument(
        "--permission",
        action="append",
        choices=[permission.value for permission in Permission],
        required=True,
    )
    command("list", "every account with its grants", named=False)
    return parser


def _add_grant_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument("--role", choices=[role.value for role in Role], required=required)
    parser.add_argument("--scope", default=str(COMPANY), help="company, site:ID or wallet:ID")


def _password_hash(arguments: argparse.Namespace) -> str | None:
    if getattr(arguments, "service", False):
        return None
    people.check_name(arguments.name)
    if arguments.password_file is not None:
        password = _read_password(arguments.password_file)
    else:
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            raise BadInputError("password", "not the same twice", "the same twice")
    check_password(password, arguments.name)
    return hash_password(password)


def _read_password(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(MAX_LENGTH * 4 + 2).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError("--password-file", str(error), "a readable text file") from error


def _first_administrator(conn: Connection, clock: Clock, arguments: argparse.Namespace) -> str:
    if people.administrators(conn):
        raise ConflictError("there is an administrator already; he adds others on the page")
    user_id = _added(conn, clock, arguments, UserKind.PERSON, is_first_password=False)
    people.grant(conn, clock, user_id, Grant(Role.ADMINISTRATOR, COMPANY), HOST)
    return f"{arguments.name} administers the company (account {user_id})"


def _add(conn: Connection, clock: Clock, arguments: argparse.Namespace) -> str:
    kind = UserKind.SERVICE if arguments.service else UserKind.PERSON
    user_id = _added(conn, clock, arguments, kind, is_first_password=kind is UserKind.PERSON)
    if arguments.role is not None:
        given = Grant(Role(arguments.role), parse_scope(arguments.scope))
        people.grant(conn, clock, user_id, given, HOST)
    return f"added {arguments.name} (account {user_id})"


def _added(
    conn: Connection,
    clock: Clock,
    arguments: argparse.Namespace,
    kind: UserKind,
    *,
    is_first_password: bool,
) -> int:
    shown = arguments.display_name or arguments.name
    new = NewUser(arguments.name, shown, kind, arguments.password_hash, is_first_password)
    return people.add_user(conn, clock, new, HOST)


def _grant(conn: Connection, clock: Clock, arguments: argparse.Namespace) -> str:
    row = people.user_named(conn, arguments.name)
    given = Grant(Role(arguments.role), parse_scope(arguments.scope))
    people.grant(conn, clock, row.id, given, HOST)
    return f"{arguments.name} is {given.role.value} on {given.scope}"


def _revoke(conn: Connection, clock: Clock, arguments: argparse.Namespace) -> str:
    row = people.user_named(conn, arguments.name)
    taken = Grant(Role(arguments.role), parse_scope(arguments.scope))
    held = select(role_grants.c.id).filter_by(
        user_id=row.id, role=taken.role.value, scope=str(taken.scope)
    )
    grant_id = conn.scalar(held)
    if grant_id is None:
        raise MissingError("such grant of", arguments.name)
    people.revoke(conn, clock, row.id, grant_id, HOST)
    return f"{arguments.name} is no {taken.role.value} on {taken.scope} any more"


def _first_password(conn: Connection, clock: Clock, arguments: argparse.Namespace) -> str:
    row = people.user_named(conn, arguments.name)
    hashed = arguments.password_hash
    people.set_password(conn, clock, row.id, hashed, HOST, is_first=True)
    return f"{arguments.name} has to change this password within three days"


def _disable(conn: Connection, clock: Clock, arguments: argparse.Namespace) -> str:
    row = people.user_named(conn, arguments.name)
    people.set_disabled(conn, clock, row.id, HOST, disabled=True)
    return f"{arguments.name} is disabled"


def _enable(conn: Connection, clock: Clock, arguments: argparse.Namespace) -> str:
    row = people.user_named(conn, arguments.name)
    people.set_disabled(conn, clock, row.id, HOST, disabled=False)
    return f"{arguments.name} is enabled"


def _unlock(conn: Connection, clock: Clock, arguments: argparse.Namespace) -> str:
    row = people.user_named(conn, arguments.name)
    if not attempts.clear(conn, attempts.account_key(row.name)):
        return f"{arguments.name} was not locked"
    changed(conn, clock, "user.unlocked", HOST, f"user:{row.id}")
    return f"{arguments.name} is unlocked"


def _reset_factor(conn: Connection, clock: Clock, arguments: argparse.Namespace) -> str:
    row = people.user_named(conn, arguments.name)
    people.reset_factors(conn, clock, row.id, HOST)
    return f"{arguments.name} sets up a second factor with the next sign-in"


def _token(conn: Connection, clock: Clock, arguments: argparse.Namespace) -> str:
    if not 1 <= arguments.days <= MOST_DAYS:
        raise BadInputError("--days", str(arguments.days), f"1 to {MOST_DAYS}")
    row = people.user_named(conn, arguments.name)
    permissions = frozenset(map(Permission, arguments.permission))
    new = NewToken(arguments.purpose[:100], permissions, arguments.days)
    return create_token(conn, clock, row.id, new, HOST).token


def _list(conn: Connection, _clock: Clock, _arguments: argparse.Namespace) -> str:
    lines = []
    for row in conn.execute(select(users).order_by(users.c.id)):
        held = ", ".join(
            sorted(f"{given.role.value} on {given.scope}" for given in grants_of(conn, row.id))
        )
        state = "disabled" if row.disabled_real_ms is not None else row.kind
        lines.append(f"{row.id}\t{row.name}\t{state}\t{held or 'no role'}")
    return "\n".join(lines) or "there is no account"


_COMMANDS: Mapping[str, Command] = {
    "first-administrator": _first_administrator,
    "add": _add,
    "grant": _grant,
    "revoke": _revoke,
    "first-password": _first_password,
    "disable": _disable,
    "enable": _enable,
    "unlock": _unlock,
    "reset-factor": _reset_factor,
    "token": _token,
    "list": _list,
}
