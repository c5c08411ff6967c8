"""Accounts for tests, entered as the product enters them: with grants, a password or a token."""

from collections.abc import Iterable

from sqlalchemy import insert

from controller.access import people
from controller.access.callers import UserKind
from controller.access.desk import AccessDesk
from controller.access.opaque import digest
from controller.access.passwords import hash_password
from controller.access.permissions import COMPANY, Grant, Permission, Role
from controller.clock import Clock
from controller.config import AccessConfig
from controller.storage.engine import Storage
from controller.storage.tables import api_tokens
from tests.fleets import TOKEN

PASSWORD = "correct horse battery staple"
EVERY_ROLE = tuple(Grant(role, COMPANY) for role in Role)


def enter_account(
    storage: Storage,
    clock: Clock,
    name: str,
    grants: Iterable[Grant] = (),
    *,
    password: str | None = None,
    token: str | None = None,
) -> int:
    """A person with a password, or a service account; with a token for all that it may."""
    kind = UserKind.SERVICE if password is None else UserKind.PERSON
    kept = None if password is None else hash_password(password)
    with storage.write() as conn:
        new = people.NewUser(name, f"{name} of the tests", kind, kept)
        user_id = people.add_user(conn, clock, new, people.HOST)
        for grant in grants:
            people.grant(conn, clock, user_id, grant, people.HOST)
        if token is not None:
            conn.execute(
                insert(api_tokens).values(
                    user_id=user_id,
                    name="of the tests",
                    prefix=token[:4],
                    secret_sha256=digest(token),
                    permissions=sorted(Permission),
                    created_real_ms=clock.real_ms(),
                )
            )
    return user_id


def access_with_token(
    storage: Storage, clock: Clock, config: AccessConfig | None = None
) -> AccessDesk:
    """A desk over a database in which `TOKEN` opens everything that a token can."""
    enter_account(storage, clock, "tests", EVERY_ROLE, token=TOKEN)
    return AccessDesk(storage, clock, config or AccessConfig())
