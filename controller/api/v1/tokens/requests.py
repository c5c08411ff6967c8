"""What is sent to make a token."""

from typing import Annotated

from pydantic import Field

from controller.access.api_tokens import MOST_DAYS
from controller.access.permissions import Permission
from controller.api.text import StrictRequest
from controller.api.v1.account.requests import GivenPassword, Label


class TokenWanted(StrictRequest):
    """What the token is for. It never does more than its owner may at the time."""

    name: Label
    permissions: Annotated[list[Permission], Field(min_length=1, max_length=len(Permission))]
    days: Annotated[int, Field(ge=1, le=MOST_DAYS)] = 90
    password: GivenPassword
