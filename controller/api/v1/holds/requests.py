"""What clients send about legal holds."""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from controller.retention.classes import DataClass


class NewHold(BaseModel):
    """What must be kept; a field left out takes in everything."""

    model_config = ConfigDict(extra="forbid")

    data_class: DataClass | None = None
    node: str | None = Field(default=None, min_length=1, max_length=63)
    start: AwareDatetime | None = Field(default=None, description="Of the data's own time")
    end: AwareDatetime | None = Field(default=None, description="Exclusive")
    reason: str = Field(min_length=1, max_length=500)


class HoldChange(BaseModel):
    """The release of a hold."""

    model_config = ConfigDict(extra="forbid")

    released: bool = Field(description="true; a released hold is not taken back")
