"""What the interface tells of sites, nodes, devices, readings and events."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import insert

from controller.storage import tables
from controller.storage.engine import Storage
from tests.databases import counted_queries
from tests.fleets import (
    NOW_MS,
    TELEMETRY,
    TOKEN,
    Fleet,
    add_events,
    add_miners,
    add_rollups,
    add_snapshots,
)

API = "/api/v1"


def follow(client: TestClient, path: str, **query: Any) -> list[Any]:
    """Every item of a list, page by page."""
    items: list[Any] = []
    cursor: str | None = None
    for _ in range(100):
        asked = {**query, **({"cursor": cursor} if cursor else {})}
        answer = client.get(f"{API}{path}", params=asked)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items
    raise AssertionError("the pages do not end")


def test_a_site_and_its_nodes_are_listed(client: TestClient, fleet: Fleet) -> None:
    assert [site["id"] for site in follow(client, "/sites")] == ["site-a"]
    born, unborn = follow(client, "/nodes", site="site-a", limit=1)
    assert (born["name"], born["online"], born["telemetry_stream"]) == (
        "a-01",
        True,
        str(TELEMETRY),
    )
    assert (unborn["name"], unborn["online"], unborn["event_stream"]) == ("a-02", None, None)
    assert follow(client, "/nodes", site="elsewhere") == []


def test_devices_are_filtered_by_kind_and_site(client: TestClient, fleet: Fleet) -> None:
    assert [d["name"] for d in follow(client, "/devices", limit=2)] == [
        "miner-01",
        "meter-01",
        "site",
    ]
    (meter,) = follow(client, "/devices", kind="meter")
    assert meter["id"] == fleet.meter
    assert follow(client, "/devices", site="elsewhere") == []
    miner = client.get(f"{API}/devices/{fleet.miner}").json()
    assert miner["facts"] == {"model": "S19"}


@pytest.mark.parametrize(
    "path",
    [
        "/sites/x",
        "/sites/x/overview",
        "/nodes/x",
        "/devices/99",
        "/devices/99/readings",
        "/devices/99/rollups",
        "/devices/99/latest",
        "/events/99",
        "/commands/x",
        "/legal-holds/99",
    ],
)
def test_what_does_not_exist_is_404_with_a_problem(client: TestClient, path: str) -> None:
    answer = client.get(f"{API}{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_latest_reading_tells_unknown_from_known(
    client: TestClient, storage: Storage, fleet: Fleet
) -> None:
    assert client.get(f"{API}/devices/{fleet.miner}/latest").json() is None
    add_snapshots(storage, fleet, 2)
    latest = client.get(f"{API}/devices/{fleet.miner}/latest").json()
    assert latest["metrics"]["power_w"] == {"value": 3_001.0, "unit": "W", "unknown": None}
    assert latest["metrics"]["hashrate_ths"] == {
        "value": None,
        "unit": "TH/s",
        "unknown": "timeout",
    }
    assert "miner_power_w" not in latest["metrics"]


def test_readings_come_in_order_across_pages(
    client: TestClient, storage: Storage, fleet: Fleet
) -> None:
    add_snapshots(storage, fleet, 7)
    path = f"/devices/{fleet.miner}/readings"
    readings = follow(client, path, metric="power_w", limit=3)
    assert [r["metrics"]["power_w"]["value"] for r in readings] == [3_000.0 + n for n in range(7)]
    assert all(list(r["metrics"]) == ["power_w"] for r in readings)
    window = {"from": "2024-05-08T12:00:02Z", "to": "2024-05-08T14:00:04+02:00"}
    assert len(follow(client, path, **window)) == 2


def test_rollups_come_in_order_across_empty_spans(
    client: TestClient, storage: Storage, fleet: Fleet
) -> None:
    add_rollups(storage, fleet.miner, "power_w", [10.0, 20.0, None, None, None, None, 60.0])
    path = f"/devices/{fleet.miner}/rollups"
    buckets = follow(client, path, resolution="1m", limit=2)
    assert [b["metrics"]["power_w"]["mean"] for b in buckets] == [10.0, 20.0, 60.0]
    assert buckets[2]["start"] == "2024-05-08T12:06:00Z"
    (five, more) = follow(client, path, resolution="5m")
    assert five["metrics"]["power_w"] == {
        "count": 4,
        "minimum": 9.0,
        "maximum": 21.0,
        "mean": 15.0,
        "unit": "W",
    }
    assert more["metrics"]["power_w"]["mean"] == 60.0


def test_the_overview_shows_the_site_and_its_devices(
    client: TestClient, storage: Storage, fleet: Fleet
) -> None:
    before = client.get(f"{API}/sites/site-a/overview").json()
    assert (before["power_w"], before["price_usd_per_mwh"]) == (None, None)
    assert [device["state"] for device in before["devices"]] == ["unknown", "unknown"]
    add_snapshots(storage, fleet, 1)
    now = client.get(f"{API}/sites/site-a/overview").json()
    assert (now["power_w"], now["hashrate_ths"]) == (3_200.0, 100.0)
    assert now["price_usd_per_mwh"] == "41.5000"
    miner = next(device for device in now["devices"] if device["kind"] == "miner")
    assert (miner["state"], miner["power_w"], miner["hashrate_ths"]) == ("mining", 3_000.0, 100.0)


def test_the_overview_takes_as_many_queries_however_many_devices_there_are(
    application: FastAPI, storage: Storage, fleet: Fleet
) -> None:
    """Without the live feed, which would ask meanwhile."""
    client = TestClient(application, headers={"Authorization": f"Bearer {TOKEN}"})
    add_snapshots(storage, fleet, 1)
    client.get(f"{API}/sites/site-a/overview")  # meanings are read once and kept
    with counted_queries(storage) as few:
        assert len(client.get(f"{API}/sites/site-a/overview").json()["devices"]) == 2
    add_miners(storage, 60)
    with counted_queries(storage) as many:
        shown = client.get(f"{API}/sites/site-a/overview").json()["devices"]
    assert len(shown) == 62
    assert sum(device["power_w"] == 1_000.0 for device in shown) == 60
    assert len(many) == len(few)


def test_power_is_shown_against_price(client: TestClient, storage: Storage, fleet: Fleet) -> None:
    add_rollups(storage, fleet.whole, "power_w", [80_000.0, None, 70_000.0])
    window = {"from": "2024-05-08T12:00:00Z", "to": "2024-05-08T13:00:00Z"}
    power = client.get(f"{API}/sites/site-a/power", params=window).json()
    assert power["width_ms"] == 60_000
    assert [point["power_w"] for point in power["points"]] == [80_000.0, 70_000.0]
    assert all(point["price_usd_per_mwh"] is None for point in power["points"])


def test_events_are_listed_newest_first_and_filtered(
    client: TestClient, storage: Storage, fleet: Fleet
) -> None:
    add_events(storage, 10)
    told = follow(client, "/events", limit=4)
    assert [event["data"]["n"] for event in told] == list(reversed(range(10)))
    assert told[0]["data"]["raw"] == "01"
    assert told[0]["data"]["odd"] == "nan"
    assert len(follow(client, "/events", kind="alarm")) == 4
    assert len(follow(client, "/events", device="miner-01", site="site-a")) == 4
    assert follow(client, "/events", site="elsewhere") == []
    one = client.get(f"{API}/events/{told[0]['id']}").json()
    assert one == told[0]


def test_an_event_that_could_not_be_read_is_shown_as_it_came(
    client: TestClient, storage: Storage, fleet: Fleet
) -> None:
    add_events(storage, 2)
    with storage.write() as conn:
        conn.execute(
            insert(tables.events).values(
                node="a-01",
                kind="malformed",
                severity="warning",
                time_ms=NOW_MS,
                received_ms=NOW_MS,
                body=b"\xff\x01",
            )
        )
    (shown,) = follow(client, "/events", kind="malformed")
    assert shown["data"]["body"] == "ff01"
    assert shown["data"]["problem"]
    assert len(follow(client, "/events")) == 3


def test_a_node_that_gives_a_time_beyond_the_calendar_spoils_no_list(
    client: TestClient, storage: Storage, fleet: Fleet
) -> None:
    add_events(storage, 2)
    add_snapshots(storage, fleet, 1, start_ms=2**61)
    with storage.write() as conn:
        conn.execute(tables.events.update().values(time_ms=2**61))
    assert {event["time"][:4] for event in follow(client, "/events")} == {"9999"}
    overview = client.get(f"{API}/sites/site-a/overview")
    assert {device["time"][:4] for device in overview.json()["devices"]} == {"9999"}
    latest = client.get(f"{API}/devices/{fleet.miner}/latest")
    assert latest.json()["time"].startswith("9999-12-31T23:59:59.999")


def test_raised_alarms_are_told_from_lowered_ones(
    client: TestClient, storage: Storage, fleet: Fleet
) -> None:
    with storage.write() as conn:
        for lowered_ms in (None, NOW_MS + 5):
            conn.execute(
                insert(tables.alarms).values(
                    node="a-01",
                    code="hot",
                    severity="warning",
                    text="too hot",
                    raised_ms=NOW_MS,
                    lowered_ms=lowered_ms,
                )
            )
    assert len(follow(client, "/alarms", limit=1)) == 2
    (raised,) = follow(client, "/alarms", raised=True)
    assert raised["lowered"] is None
    assert len(client.get(f"{API}/sites/site-a/alarms").json()) == 1


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/sites", {"limit": 0}, "query.limit"),
        ("/sites", {"limit": 501}, "query.limit"),
        ("/sites", {"cursor": "!"}, "query.cursor"),
        ("/events", {"from": "2024-05-08T12:00:00"}, "query.from"),
        ("/events", {"kind": "rumour"}, "query.kind"),
        ("/events", {"to": "0.5"}, "query.to"),
        ("/devices/0", {}, "path.device_id"),
        ("/devices/1/rollups", {"resolution": "7m"}, "query.resolution"),
    ],
)
def test_a_bad_query_is_refused_by_field(
    client: TestClient, fleet: Fleet, path: str, query: dict[str, Any], field: str
) -> None:
    answer = client.get(f"{API}{path}", params=query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"cursor": "AAAA"}, "query.cursor"),
        ({"from": "2024-05-09T00:00:00Z", "to": "2024-05-08T00:00:00Z"}, "query.to"),
    ],
)
def test_a_query_that_fits_its_form_and_means_nothing_is_a_conflict(
    client: TestClient, query: dict[str, str], field: str
) -> None:
    answer = client.get(f"{API}/events", params=query)
    assert answer.status_code == 409
    assert answer.json()["errors"][0]["field"] == field
