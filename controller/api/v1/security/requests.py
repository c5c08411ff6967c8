"""What clients send about security events."""

from pydantic import Field

from controller.api.text import StrictRequest


class Acknowledgement(StrictRequest):
    """That somebody has looked into it, and what he found."""

    note: str = Field(min_length=1, max_length=300, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]+$")
