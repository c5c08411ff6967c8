"""What clients send about sites."""

from pydantic import BaseModel, ConfigDict, Field


class SiteChange(BaseModel):
    """An update of a site."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
