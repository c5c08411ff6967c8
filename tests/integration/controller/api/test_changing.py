"""What the interface changes, once, and only from what the client saw."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from controller.access.people import HOST
from controller.storage import tables
from controller.storage.engine import Storage
from shared.messages.actions import SetSetpoint
from shared.messages.command import verify
from shared.setpoints import PowerLimit
from tests.fleets import EVENTS, NOW_MS, Fleet
from tests.integration.controller.api.conftest import SIGNER

API = "/api/v1"
ORDER: dict[str, Any] = {
    "node": "a-01",
    "action": {
        "name": "setpoint",
        "device": "miner-01",
        "setpoint": {"kind": "power_limit", "power_w": 2_400},
        "hold_ms": 60_000,
    },
    "precondition": [{"device": "miner-01", "metric": "mining", "comparison": "eq", "value": True}],
}


def give(client: TestClient, order: Any, key: str = "order-0001") -> Any:
    """Posts an order."""
    return client.post(f"{API}/commands", json=order, headers={"Idempotency-Key": key})


def count(storage: Storage, name: str) -> int:
    """Rows of a table."""
    with storage.read() as conn:
        return conn.scalar(select(func.count()).select_from(tables.metadata.tables[name])) or 0


def leaves(storage: Storage) -> list[tuple[str, str, str]]:
    """The audit leaves as (kind, actor, subject)."""
    with storage.read() as conn:
        rows = conn.execute(
            select(tables.audit_leaves)
            .where(tables.audit_leaves.c.actor != HOST)  # the test's accounts
            .order_by(tables.audit_leaves.c.id)
        )
        return [(row.kind, row.actor, row.subject) for row in rows]


def test_an_order_is_signed_queued_and_written_down(
    client: TestClient, storage: Storage, fleet: Fleet
) -> None:
    answer = give(client, ORDER)
    assert answer.status_code == 201, answer.text
    order = answer.json()
    assert answer.headers["location"] == f"{API}/commands/{order['id']}"
    assert (order["state"], order["seq"], order["actor"]) == ("queued", 1, "user:1")
    assert client.get(answer.headers["location"]).json() == order
    with storage.read() as conn:
        message = conn.scalar(select(tables.outbox.c.payload))
    assert message is not None
    command = verify(message, {SIGNER.key_id: SIGNER.key.public_key()})
    assert (command.id, command.stream, command.seq) == (order["id"], EVENTS, 1)
    assert command.action == SetSetpoint("miner-01", PowerLimit(2_400), hold_ms=60_000)
    assert command.expires_at_ms == NOW_MS + 300_000
    assert leaves(storage) == [("command.issued", "user:1", order["id"])]


def test_numbers_of_a_node_count_up(client: TestClient, fleet: Fleet) -> None:
    numbers = [give(client, ORDER, f"order-{n:04}").json()["seq"] for n in range(3)]
    assert numbers == [1, 2, 3]
    listed = client.get(f"{API}/commands", params={"node": "a-01", "state": "queued"}).json()
    assert len(listed["items"]) == 3


def test_the_same_key_is_done_once(client: TestClient, storage: Storage, fleet: Fleet) -> None:
    first = give(client, ORDER)
    again = give(client, ORDER)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert count(storage, "commands") == 1


def test_the_same_key_with_another_body_is_refused(
    client: TestClient, storage: Storage, fleet: Fleet
) -> None:
    give(client, ORDER)
    other = give(client, {**ORDER, "lifetime_ms": 1_000})
    assert other.status_code == 409
    assert count(storage, "commands") == 1


def test_a_refused_order_leaves_its_key_free(
    client: TestClient, storage: Storage, fleet: Fleet
) -> None:
    assert give(client, {**ORDER, "node": "a-02"}).status_code == 409
    assert count(storage, "idempotency_keys") == 0
    assert give(client, ORDER).status_code == 201


@pytest.mark.parametrize("node", ["a-02", "nobody"])
def test_a_node_that_cannot_be_ordered_is_a_conflict(
    client: TestClient, storage: Storage, fleet: Fleet, node: str
) -> None:
    answer = give(client, {**ORDER, "node": node})
    assert (answer.status_code, count(storage, "commands")) == (409, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"action": {"name": "explode", "device": "miner-01"}},
        {"action": {"name": "reboot"}},
        {"action": {"name": "reboot", "device": "miner-01", "force": True}},
        {"action": {"name": "switch", "device": "pdu", "outlet": 0, "closed": True}},
        {"lifetime_ms": 0},
        {"lifetime_ms": 8 * 86_400_000},
        {"not_before": "tomorrow"},
        {"not_before": 1_900_000_000},
        {"action": {"name": "reboot", "device": "a\0b"}},
        {"precondition": [{"device": "d", "metric": "m", "comparison": "=", "value": 2**70}]},
        {"precondition": [{"device": "d", "metric": "m", "comparison": "like", "value": 1}]},
        {"unknown": 1},
    ],
)
def test_an_order_of_wrong_form_changes_nothing(
    client: TestClient, storage: Storage, fleet: Fleet, change: dict[str, Any]
) -> None:
    answer = give(client, {**ORDER, **change})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]
    assert count(storage, "commands") == 0
    assert leaves(storage) == []


def test_an_order_too_far_ahead_is_refused(
    client: TestClient, storage: Storage, fleet: Fleet
) -> None:
    answer = give(client, {**ORDER, "not_before": "2030-01-01T00:00:00Z"})
    assert (answer.status_code, count(storage, "commands")) == (409, 0)


@pytest.mark.parametrize("key", [None, "short", "x" * 129, "with space in it"])
def test_a_post_without_a_good_key_is_refused(
    client: TestClient, fleet: Fleet, key: str | None
) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    assert client.post(f"{API}/commands", json=ORDER, headers=headers).status_code == 422


def test_a_site_is_renamed_from_the_version_that_was_seen(
    client: TestClient, storage: Storage, fleet: Fleet
) -> None:
    path = f"{API}/sites/site-a"
    seen = client.get(path).headers["etag"]
    assert client.patch(path, json={"name": "B"}).status_code == 428
    renamed = client.patch(path, json={"name": "B"}, headers={"If-Match": seen})
    assert (renamed.status_code, renamed.json()["name"]) == (200, "B")
    assert renamed.headers["etag"] != seen
    late = client.patch(path, json={"name": "C"}, headers={"If-Match": seen})
    assert late.status_code == 412
    assert client.get(path).json()["name"] == "B"
    assert leaves(storage) == [("site.changed", "user:1", "site-a")]


@pytest.mark.parametrize("if_match", ["*", "1", '"x"', '""', 'W/"1"'])
def test_an_odd_if_match_never_matches(client: TestClient, fleet: Fleet, if_match: str) -> None:
    headers = {"If-Match": if_match}
    answer = client.patch(f"{API}/sites/site-a", json={"name": "B"}, headers=headers)
    assert answer.status_code == 412


def test_a_hold_is_made_once_and_released_once(
    client: TestClient, storage: Storage, fleet: Fleet
) -> None:
    body = {"data_class": "telemetry", "node": "a-01", "reason": "case 7"}
    headers = {"Idempotency-Key": "hold-00001"}
    made = client.post(f"{API}/legal-holds", json=body, headers=headers)
    assert made.status_code == 201, made.text
    path = made.headers["location"]
    seen = client.get(path).headers["etag"]
    released = client.patch(path, json={"released": True}, headers={"If-Match": seen})
    assert released.json()["released"] is not None
    again = client.patch(
        path, json={"released": True}, headers={"If-Match": released.headers["etag"]}
    )
    assert again.status_code == 409
    kinds = [kind for kind, _, _ in leaves(storage)]
    assert kinds == ["hold.created", "hold.released"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"node": "nobody"}, 409),
        ({"data_class": "gossip"}, 422),
        ({"start": "2024-05-09T00:00:00Z", "end": "2024-05-08T00:00:00Z"}, 409),
        ({"reason": ""}, 422),
    ],
)
def test_a_hold_on_nothing_is_refused(
    client: TestClient, storage: Storage, fleet: Fleet, change: dict[str, Any], status: int
) -> None:
    headers = {"Idempotency-Key": "hold-00001"}
    body = {"reason": "case 7", **change}
    answer = client.post(f"{API}/legal-holds", json=body, headers=headers)
    assert (answer.status_code, count(storage, "legal_holds")) == (status, 0)
