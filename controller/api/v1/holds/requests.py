"""What clients send about legal holds."""

from pydantic import Field

from controller.api.text import Flag, StrictRequest
from controller.api.times import Moment
from controller.retention.classes import DataClass


class NewHold(StrictRequest):
    """What must be kept; a field left out takes in everything."""

    data_class: DataClass | None = Field(
        default=None, description="`events`, and every class, take in security events of all nodes"
    )
    node: str | None = Field(default=None, min_length=1, max_length=63)
    start: Moment | None = Field(default=None, description="Of the data's own time")
    end: Moment | None = Field(default=None, description="Exclusive")
    reason: str = Field(min_length=1, max_length=300)


class HoldChange(StrictRequest):
    """The release of a hold."""

    released: Flag = Field(description="true; a released hold is not taken back")
