"""Who is granted a role on one site sees that site, and nothing tells him of another."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert

from controller.access.permissions import Grant, Role, site_scope
from controller.storage import tables
from controller.storage.engine import Storage
from tests.accounts import enter_account
from tests.fleets import Fleet, add_events, add_snapshots
from tests.integration.controller.api.conftest import StoppedClock
from tests.integration.controller.api.test_changing import ORDER

API = "/api/v1"
SEEN = ("/sites", "/nodes", "/devices", "/events", "/alarms", "/gaps", "/commands")


@pytest.fixture
def olga(stranger: TestClient, storage: Storage, clock: StoppedClock, fleet: Fleet) -> TestClient:
    """An operator of site-b, beside the fleet's site-a with all it reported."""
    add_snapshots(storage, fleet, 3)
    add_events(storage, 4)
    with storage.write() as conn:
        conn.execute(insert(tables.sites).values(id="site-b", name="Site B", created_ms=0))
        conn.execute(insert(tables.nodes).values(name="b-01", site_id="site-b", created_ms=0))
    grants = [Grant(Role.OPERATOR, site_scope("site-b"))]
    enter_account(storage, clock, "olga", grants, token="o" * 40)
    stranger.headers["Authorization"] = f"Bearer {'o' * 40}"
    return stranger


def test_lists_hold_what_is_in_reach_only(olga: TestClient, client: TestClient) -> None:
    seen = {path: olga.get(f"{API}{path}").json()["items"] for path in SEEN}
    assert [site["id"] for site in seen.pop("/sites")] == ["site-b"]
    assert [node["name"] for node in seen.pop("/nodes")] == ["b-01"]
    assert set(map(tuple, seen.values())) == {()}
    assert client.get(f"{API}/events").json()["items"]


def test_what_is_out_of_reach_is_not_there(olga: TestClient, fleet: Fleet) -> None:
    device = f"/devices/{fleet.miner}"
    paths = ["/sites/site-a", "/nodes/a-01", "/events/1", device, f"{device}/latest"]
    paths += [f"{device}/readings", f"{device}/rollups", "/sites/site-a/overview"]
    paths += ["/sites/site-a/power", "/sites/site-a/alarms"]
    for path in paths:
        assert olga.get(f"{API}{path}").status_code == 404, path
    asked = olga.get(f"{API}/events", params={"site": "site-a"})
    assert asked.json()["items"] == []


def test_an_order_to_a_node_out_of_reach_is_refused_and_leaves_none(
    olga: TestClient, client: TestClient
) -> None:
    answer = olga.post(f"{API}/commands", json=ORDER, headers={"Idempotency-Key": "order-0001"})
    assert answer.status_code == 409
    headers = {"If-Match": '"1"'}
    renamed = olga.patch(f"{API}/sites/site-a", json={"name": "Mine"}, headers=headers)
    assert renamed.status_code == 404
    assert client.get(f"{API}/commands").json()["items"] == []
    assert client.get(f"{API}/sites/site-a").json()["name"] == "Site A"
