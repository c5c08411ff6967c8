"""The demonstration's one person, who may sign in to the page with a password from a file."""

import secrets
from pathlib import Path

from controller.access import people
from controller.access.callers import UserKind
from controller.access.passwords import hash_password
from controller.access.people import HOST, NewUser
from controller.access.permissions import COMPANY, Grant, Role
from controller.clock import SystemClock
from controller.storage.engine import Storage
from controller.storage.migrate import migrate

PERSON = "demo"
_RANDOM_BYTES = 18


def enter_person(database: Path, password_file: Path) -> None:
    """Brings the controller's database about and enters the person as operator of the company."""
    password = secrets.token_urlsafe(_RANDOM_BYTES)
    password_file.touch(mode=0o600)
    password_file.write_text(f"{password}\n", encoding="ascii")
    storage = Storage(f"sqlite:///{database}")
    clock = SystemClock()
    try:
        migrate(storage)
        with storage.write() as conn:
            new = NewUser(PERSON, "Demonstration", UserKind.PERSON, hash_password(password))
            user_id = people.add_user(conn, clock, new, HOST)
            people.grant(conn, clock, user_id, Grant(Role.OPERATOR, COMPANY), HOST)
    finally:
        storage.close()
