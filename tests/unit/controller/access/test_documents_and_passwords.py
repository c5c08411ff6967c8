"""The document says what the table says; passwords by length; tokens that can be found."""

import pytest

from controller.access import documents, passwords
from controller.access.four_eyes import GrantChange, needs_approval
from controller.access.opaque import digest, new_recovery_code, new_token
from controller.access.permissions import (
    COMPANY,
    MEANINGS,
    ROLES,
    Grant,
    Permission,
    Role,
    parse_scope,
    site_scope,
)
from shared.errors import BadInputError


def test_the_document_is_the_table() -> None:
    assert documents.FILE.read_text(encoding="utf-8") == documents.rendered()
    assert documents.main(["--check"]) == 0


def test_every_permission_is_explained_and_had_by_somebody() -> None:
    assert set(MEANINGS) == set(Permission)
    assert set(ROLES) == set(Role)
    assert set().union(*ROLES.values()) == set(Permission)


def test_everybody_has_his_own_account_and_only_administrators_change_others() -> None:
    assert all(Permission.ACCOUNT_OWN in permissions for permissions in ROLES.values())
    changers = {role for role in Role if Permission.USERS_CHANGE in ROLES[role]}
    assert changers == {Role.ADMINISTRATOR}


@pytest.mark.parametrize(
    "text", ["", "site", "site:", "Company", "site:A", "x:y", "site:" + "a" * 64]
)
def test_what_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(BadInputError):
        parse_scope(text)


@pytest.mark.parametrize("password", ["", "short", "x" * 11, "x" * 129, "bob-the-admin"])
def test_a_password_of_the_wrong_length_or_little_more_than_the_name_is_refused(
    password: str,
) -> None:
    with pytest.raises(BadInputError):
        passwords.check_password(password, "bob-the-admin")


@pytest.mark.usefixtures("dear_passwords")
def test_a_password_matches_itself_only_however_it_is_composed() -> None:
    kept = passwords.hash_password("caf\u00e9 con leche y pan")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.matches(kept, "cafe\u0301 con leche y pan")
    assert not passwords.matches(kept, "cafe con leche y pan")
    assert not passwords.matches(None, "caf\u00e9 con leche y pan")
    assert not passwords.matches("no hash", "caf\u00e9 con leche y pan")
    assert not passwords.needs_new_hash(kept)


def test_secrets_differ_and_only_their_hash_is_looked_up() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(token.startswith("bes_") and len(token) == 47 for token in tokens)
    assert len({digest(token) for token in tokens}) == 100
    assert len(new_recovery_code()) == 23


def test_nobody_raises_himself_and_power_needs_two() -> None:
    viewer, boss = Grant(Role.VIEWER, site_scope("a")), Grant(Role.ADMINISTRATOR, COMPANY)
    assert needs_approval(GrantChange(1, viewer, by=1), 1) is not None
    assert needs_approval(GrantChange(2, viewer, by=1), 2) is None
    assert needs_approval(GrantChange(2, boss, by=1), 1) is None
    assert needs_approval(GrantChange(2, boss, by=1), 2) is not None
