"""What clients send about retention."""

from pydantic import Field

from controller.api.text import StrictRequest


class RetentionChange(StrictRequest):
    """How long a class of data is kept from now on."""

    keep_days: int | None = Field(ge=1, le=36_500, description="null: for ever")
