"""The price feed's document, and what is kept of it."""

import json
from decimal import Decimal
from typing import Any

import pytest

from agent.site.market_feed import KEEP_MS, Market, parse_feed
from shared.errors import BadInputError

QUARTER_MS = 900_000
NOON = "2024-05-08T12:00:00Z"
PRICE = "real_time.price_usd_per_mwh"
NOON_MS = 1_715_169_600_000


def document(**changes: Any) -> bytes:
    stated = {
        "settlement_point": "HB_HUBAVG",
        "interval_minutes": 15,
        "real_time": [{"start": NOON, "price_usd_per_mwh": "4964.84"}],
        "day_ahead": [{"start": NOON, "price_usd_per_mwh": "19.74"}],
        "demand_forecast_mw": [{"start": NOON, "value": 52_197.6}],
        "temperature_c": [{"start": "2024-05-08T07:00:00-05:00", "value": 23}],
    }
    return json.dumps({**stated, **changes}).encode()


def test_prices_are_exact_and_all_offsets_are_understood() -> None:
    feed = parse_feed(document())
    assert feed.real_time == {NOON_MS: Decimal("4964.84")}
    row = feed.intervals[NOON_MS]
    assert (row.day_ahead_usd_per_mwh, row.demand_forecast_mw, row.temperature_c) == (
        19.74,
        52_197.6,
        23.0,
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"interval_minutes": 5}, "interval_minutes"),
        ({"settlement_point": ""}, "settlement_point"),
        ({"real_time": None}, "real_time"),
        (
            {"real_time": [{"start": NOON, "price_usd_per_mwh": 12.5}]},
            "real_time.price_usd_per_mwh",
        ),
        (
            {"real_time": [{"start": NOON, "price_usd_per_mwh": "NaN"}]},
            "real_time.price_usd_per_mwh",
        ),
        ({"real_time": [{"start": NOON}]}, "price_usd_per_mwh"),
        ({"real_time": [{"start": "noon", "price_usd_per_mwh": "1"}]}, "real_time.start"),
        ({"real_time": [{"start": "2024-05-08T12:00:00", "price_usd_per_mwh": "1"}]}, "time"),
        (
            {"real_time": [{"start": "2024-05-08T12:01:00Z", "price_usd_per_mwh": "1"}]},
            "real_time.start",
        ),
        ({"day_ahead": [{"start": NOON, "price_usd_per_mwh": "1"}] * 2}, "day_ahead.start"),
        ({"temperature_c": [{"start": NOON, "value": "hot"}]}, "temperature_c.value"),
        ({"temperature_c": [{"start": NOON, "value": 900}]}, "temperature_c"),
    ],
)
def test_a_document_that_breaks_the_format_is_refused_with_its_field(
    changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadInputError) as refused:
        parse_feed(document(**changes))
    assert refused.value.field == field


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"a": NaN}', b"[" * 5_000])
def test_what_is_no_such_document_is_refused(body: bytes) -> None:
    with pytest.raises(BadInputError):
        parse_feed(body)


def test_what_a_document_omits_stays_and_what_is_old_goes() -> None:
    later = json.dumps(
        {
            "settlement_point": "HB_HUBAVG",
            "interval_minutes": 15,
            "real_time": [{"start": "2024-05-08T12:15:00Z", "price_usd_per_mwh": "7"}],
        }
    ).encode()
    market = (
        Market().with_feed(parse_feed(document()), NOON_MS).with_feed(parse_feed(later), NOON_MS)
    )
    assert market.intervals[NOON_MS].day_ahead_usd_per_mwh == 19.74
    assert market.intervals[NOON_MS + QUARTER_MS].real_time_usd_per_mwh == 7.0
    assert market.with_feed(parse_feed(later), NOON_MS + KEEP_MS + 1).real_time == {
        NOON_MS + QUARTER_MS: Decimal(7)
    }


def test_the_last_price_is_that_of_the_newest_interval_that_has_begun() -> None:
    market = Market().with_feed(parse_feed(document()), NOON_MS)
    assert market.last_price(NOON_MS - 1) is None
    price = market.last_price(NOON_MS + 5 * QUARTER_MS)
    assert price is not None
    assert (price.start_ms, price.end_ms) == (NOON_MS, NOON_MS + QUARTER_MS)
