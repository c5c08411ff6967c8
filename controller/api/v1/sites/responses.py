"""What clients are told about sites."""

import math
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from controller.api.times import told_by_node
from controller.fleet.readings import Reading, RolledBucket
from shared.time import from_ms


class Site(BaseModel):
    """A place with nodes."""

    id: str
    organisation: str
    name: str
    created: datetime
    version: int = Field(description="The ETag's number")

    @classmethod
    def of(cls, row: Row[Any]) -> "Site":
        """From a row of `sites`."""
        return cls(
            id=row.id,
            organisation=row.organisation,
            name=row.name,
            created=from_ms(row.created_ms),
            version=row.version,
        )


PRICE_METRIC = "price_uusd_per_mwh"
"""The price in millionths of a USD per MWh, a whole number."""


def usd(millionths: float) -> str:
    """A price in USD to the hundredth of a cent, as exact text."""
    return str(Decimal(round(millionths)).scaleb(-6).quantize(Decimal("0.0001")))


class DeviceNow(BaseModel):
    """A device as last read; null is unknown."""

    id: int
    node: str
    name: str
    kind: str
    family: str
    state: str = Field(description="unknown where nothing tells")
    power_w: float | None
    power_source: str | None = Field(description="pdu, meter, miner or nameplate")
    hashrate_ths: float | None
    time: datetime | None

    @classmethod
    def of(cls, row: Row[Any], reading: Reading | None) -> "DeviceNow":
        """From a row of `devices` and its newest reading."""
        return cls(
            id=row.id,
            node=row.node,
            name=row.name,
            kind=row.kind,
            family=row.family,
            state=text_of(reading, "state") or "unknown",
            power_w=number_of(reading, "power_w"),
            power_source=text_of(reading, "power_source"),
            hashrate_ths=number_of(reading, "hashrate_ths"),
            time=None if reading is None else told_by_node(reading.time_ms),
        )


class SiteNow(BaseModel):
    """A site as its nodes last reported it; null is unknown, also when one node's part is."""

    site: str
    time: datetime
    power_w: float | None
    miner_power_w: float | None = Field(description="Of the miners whose hashrate counts")
    hashrate_ths: float | None
    price_usd_per_mwh: str | None
    devices: list[DeviceNow]

    @classmethod
    def of(
        cls, site: str, time: datetime, whole: Sequence[Reading], devices: list[DeviceNow]
    ) -> "SiteNow":
        """From what each node reports of the site as a whole."""
        prices = [number_of(reading, PRICE_METRIC) for reading in whole]
        return cls(
            site=site,
            time=time,
            power_w=_sum(whole, "power_w"),
            miner_power_w=_sum(whole, "miner_power_w"),
            hashrate_ths=_sum(whole, "hashrate_ths"),
            price_usd_per_mwh=next((usd(price) for price in prices if price is not None), None),
            devices=devices,
        )


class PowerPoint(BaseModel):
    """Means over one bucket; null where nothing was known."""

    time: datetime
    power_w: float | None = None
    price_usd_per_mwh: str | None = None

    @classmethod
    def at(cls, start_ms: int) -> "PowerPoint":
        """A point that knows nothing yet."""
        return cls(time=told_by_node(start_ms))

    def add(self, bucket: RolledBucket) -> None:
        """Adds a node's part: powers add up, prices are the market's."""
        power = bucket.metrics.get("power_w")
        if power is not None:
            mean_w = power.aggregate.total / power.aggregate.count
            self.power_w = mean_w if self.power_w is None else self.power_w + mean_w
        price = bucket.metrics.get(PRICE_METRIC)
        if price is not None:
            self.price_usd_per_mwh = usd(price.aggregate.total / price.aggregate.count)


class SitePower(BaseModel):
    """Power against price, oldest first; buckets without any reading are absent."""

    width_ms: int
    points: list[PowerPoint]


def number_of(reading: Reading | None, name: str) -> float | None:
    """A finite number of a reading; None when it is absent or unknown."""
    found = None if reading is None else reading.values.get(name)
    if found is None or isinstance(found.value, bool) or not isinstance(found.value, int | float):
        return None
    return found.value if math.isfinite(found.value) else None


def text_of(reading: Reading | None, name: str) -> str | None:
    """A text of a reading; None when it is absent or unknown."""
    found = None if reading is None else reading.values.get(name)
    return found.value if found is not None and isinstance(found.value, str) else None


def _sum(whole: Sequence[Reading], name: str) -> float | None:
    """The sum over nodes; one unknown part makes the whole unknown."""
    parts = [number_of(reading, name) for reading in whole]
    known = [part for part in parts if part is not None]
    return sum(known) if known and len(known) == len(parts) else None
