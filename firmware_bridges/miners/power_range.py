"""The power limits that the configuration says a miner takes."""

from typing import Self

from pydantic import BaseModel, Field, model_validator

from firmware_bridges.capabilities import PowerRange


class PowerRangeSettings(BaseModel):
    """A mix-in of a driver's settings: `least_power_w` and `most_power_w`, both or neither."""

    least_power_w: int | None = Field(default=None, ge=1, le=99_999)
    most_power_w: int | None = Field(default=None, ge=1, le=99_999)

    @model_validator(mode="after")
    def _a_whole_range(self) -> Self:
        least, most = self.least_power_w, self.most_power_w
        if (least is None) != (most is None):
            raise ValueError("least_power_w and most_power_w go together")
        if least is not None and most is not None and least > most:
            raise ValueError("least_power_w is above most_power_w")
        return self

    @property
    def configured_range(self) -> PowerRange | None:
        """The two as a range."""
        if self.least_power_w is None or self.most_power_w is None:
            return None
        return PowerRange(self.least_power_w, self.most_power_w)
