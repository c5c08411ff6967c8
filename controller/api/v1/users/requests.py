"""What administrators send."""

from typing import Annotated

from pydantic import Field

from controller.access.callers import UserKind
from controller.access.permissions import Role
from controller.api.text import Flag, StrictRequest
from controller.api.v1.account.requests import Label, NewPassword

Name = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$")]
ScopeText = Annotated[
    str, Field(pattern=r"^(?:company|(?:site|wallet):[a-z0-9_.-]{1,63})$", max_length=80)
]


class UserWanted(StrictRequest):
    """An account to add. A person gets a first password; a service account has none."""

    name: Name
    display_name: Label
    kind: UserKind = UserKind.PERSON
    password: NewPassword | None = None


class UserChange(StrictRequest):
    """Whether the account may be used."""

    disabled: Flag


class GrantWanted(StrictRequest):
    """A role on a scope."""

    role: Role
    scope: ScopeText
