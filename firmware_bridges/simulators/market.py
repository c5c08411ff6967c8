"""A market's price feed on loopback: what is published at the clock's time of the rows it is given.

The document is the one that the agent reads (described in `agent.site.market_feed`). Published as
ERCOT does: a real-time price once its interval has ended, a temperature once its hour has,
day-ahead prices and the demand forecast for the coming day.
"""

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Protocol

from aiohttp import web

from firmware_bridges.simulators.misbehaviour import Script
from firmware_bridges.simulators.web import WebSimulator
from shared.time import from_ms

PATH = "/prices.json"
_INTERVAL_MS = 15 * 60_000
_HOUR_MS = 60 * 60_000
_AHEAD_MS = 24 * _HOUR_MS
_BACK_MS = 60 * _HOUR_MS


class MarketRow(Protocol):
    """One interval of 15 minutes; prices in USD/MWh."""

    @property
    def start_ms(self) -> int: ...

    @property
    def real_time(self) -> Decimal: ...

    @property
    def day_ahead(self) -> Decimal: ...

    @property
    def demand_forecast_mw(self) -> Decimal: ...

    @property
    def temperature_c(self) -> Decimal: ...


class MarketSimulator:
    """Serves `rows` as they are known at `now_ms()`; `url` is known after `start`."""

    def __init__(
        self,
        rows: Iterable[MarketRow],
        now_ms: Callable[[], int],
        script: Script | None = None,
        *,
        port: int = 0,
    ) -> None:
        self._rows = sorted(rows, key=lambda row: row.start_ms)
        self._now_ms = now_ms
        self.script = script or Script()
        self.silent_from_ms: int | None = None
        """From this time on nothing new is published, as when a market's own feed stands still."""
        self._web = WebSimulator([web.get(PATH, self._serve)], self.script, port=port)

    @property
    def url(self) -> str:
        """Where the document is."""
        return f"http://{self._web.host}:{self._web.port}{PATH}"

    async def start(self) -> None:
        """Begins to listen."""
        await self._web.start()

    async def stop(self) -> None:
        """Ends listening."""
        await self._web.stop()

    def document(self) -> dict[str, Any]:
        """What is published now."""
        now_ms = self._now_ms()
        if self.silent_from_ms is not None:
            now_ms = min(now_ms, self.silent_from_ms)
        rows = [r for r in self._rows if now_ms - _BACK_MS <= r.start_ms <= now_ms + _AHEAD_MS]
        return {
            "settlement_point": "SIMULATED",
            "interval_minutes": 15,
            "real_time": [
                {"start": _iso(row), "price_usd_per_mwh": f"{row.real_time:f}"}
                for row in rows
                if row.start_ms + _INTERVAL_MS <= now_ms
            ],
            "day_ahead": [
                {"start": _iso(row), "price_usd_per_mwh": f"{row.day_ahead:f}"} for row in rows
            ],
            "demand_forecast_mw": [
                {"start": _iso(row), "value": float(row.demand_forecast_mw)} for row in rows
            ],
            "temperature_c": [
                {"start": _iso(row), "value": float(row.temperature_c)}
                for row in rows
                if row.start_ms - row.start_ms % _HOUR_MS + _HOUR_MS <= now_ms
            ],
        }

    async def _serve(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(text=json.dumps(self.document()), content_type="application/json")


def _iso(row: MarketRow) -> str:
    return from_ms(row.start_ms).isoformat().replace("+00:00", "Z")
