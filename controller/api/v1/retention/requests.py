"""What clients send about retention."""

from pydantic import BaseModel, ConfigDict, Field


class RetentionChange(BaseModel):
    """How long a class of data is kept from now on."""

    model_config = ConfigDict(extra="forbid")

    keep_days: int | None = Field(ge=1, le=36_500, description="null: for ever")
