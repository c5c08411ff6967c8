"""What clients send about sites."""

from pydantic import Field

from controller.api.text import StrictRequest


class SiteChange(StrictRequest):
    """An update of a site."""

    name: str = Field(min_length=1, max_length=200)
