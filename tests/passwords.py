"""Passwords in tests: argon2id as the product uses it, at the least cost that it can have.

The product's 64 MiB and three passes took most of the time of the tests that sign somebody in.
"""

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher, Type

from controller.access import passwords

_PRODUCT_S = (passwords._HASHER, passwords._NOBODY)
_CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, type=Type.ID)


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """In the tests' own process; a controller that a test starts beside it keeps the full cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", _CHEAP)
        patch.setattr(passwords, "_NOBODY", _CHEAP.hash("of nobody"))
        yield


@pytest.fixture
def dear_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """The product's own cost, for tests that are about it."""
    hasher, nobody = _PRODUCT_S
    monkeypatch.setattr(passwords, "_HASHER", hasher)
    monkeypatch.setattr(passwords, "_NOBODY", nobody)
