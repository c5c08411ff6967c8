"""What is sent to change one's own account. The password is given again with what matters."""

from typing import Annotated

from pydantic import Field

from controller.access.passwords import MAX_LENGTH, MIN_LENGTH
from controller.api.text import StrictRequest
from controller.api.v1.sessions.requests import PasskeyAnswer

GivenPassword = Annotated[str, Field(max_length=512)]
NewPassword = Annotated[str, Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]
Label = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Confirmed(StrictRequest):
    """Nothing but the password again."""

    password: GivenPassword


class PasswordChange(StrictRequest):
    """The present password and the one to come."""

    password: GivenPassword
    new_password: NewPassword


class FirstCode(StrictRequest):
    """A code of the app that was just set up."""

    code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]


class NewPasskey(StrictRequest):
    """What the browser made, and what to call it."""

    name: Label
    credential: PasskeyAnswer
