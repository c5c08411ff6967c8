"""Security events over REST: listed, narrowed, acknowledged once with a note."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from controller.detection.kinds import SecurityKind
from controller.detection.report import report
from controller.storage.engine import Storage
from controller.storage.tables import audit_leaves, security_events
from tests.fleets import NOW_MS

EVENTS = "/api/v1/security/events"


@pytest.fixture
def told(storage: Storage) -> list[int]:
    """Three events, the first counted twice."""
    with storage.write() as conn:
        return [
            report(conn, kind=kind, subject=subject, detail={"topic": "x"}, now_ms=NOW_MS + at_ms)
            for at_ms, kind, subject in (
                (0, SecurityKind.PUBLISH_REFUSED, "site-a-01"),
                (1_000, SecurityKind.PUBLISH_REFUSED, "site-a-01"),
                (2_000, SecurityKind.OVERSIZED_MESSAGE, "site-b-01"),
                (3_000, SecurityKind.RENEWED_LATE, "site-b-01"),
            )
        ]


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def test_events_are_listed_newest_first_page_by_page(client: TestClient, told: list[int]) -> None:
    first = client.get(EVENTS, params={"limit": 2})
    assert ids(first) == [told[3], told[2]]
    rest = client.get(EVENTS, params={"limit": 2, "cursor": first.json()["next_cursor"]})
    assert ids(rest) == [told[0]]
    (item,) = rest.json()["items"]
    assert (item["occurrences"], item["severity"], item["subject"]) == (2, "critical", "site-a-01")
    assert item["text"].startswith("A client published")


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ({"kind": "oversized_message"}, [2]),
        ({"severity": "critical"}, [0]),
        ({"subject": "site-b-01"}, [3, 2]),
        ({"acknowledged": "true"}, []),
        ({"acknowledged": "false", "severity": "info"}, [3]),
        ({"to": "2000-01-01T00:00:00Z"}, []),
    ],
)
def test_a_list_is_narrowed(
    client: TestClient, told: list[int], query: dict[str, str], places: list[int]
) -> None:
    assert ids(client.get(EVENTS, params=query)) == [told[place] for place in places]


@pytest.mark.parametrize("query", [{"kind": "none"}, {"subject": "\x00"}, {"cursor": "!"}])
def test_a_list_that_cannot_be_is_refused(client: TestClient, query: dict[str, str]) -> None:
    assert client.get(EVENTS, params=query).status_code == 422


def test_the_summary_counts_what_is_open(client: TestClient, told: list[int]) -> None:
    summary = "/api/v1/security/summary"
    assert client.get(summary).json() == {"open": {"info": 1, "warning": 1, "critical": 1}}
    client.post(f"{EVENTS}/{told[0]}/acknowledge", json={"note": "a test of ours"})
    assert client.get(summary).json()["open"]["critical"] == 0


def test_an_event_is_acknowledged_once_with_a_note_and_a_leaf(
    client: TestClient, storage: Storage, told: list[int]
) -> None:
    path = f"{EVENTS}/{told[0]}"
    seen = client.get(path)
    headers = {"If-Match": seen.headers["etag"]}
    answer = client.post(f"{path}/acknowledge", json={"note": "a test"}, headers=headers)
    assert answer.status_code == 200
    assert (answer.json()["note"], answer.json()["acknowledged_by"] != "") == ("a test", True)
    assert client.get(path).json() == answer.json()
    again = client.post(f"{path}/acknowledge", json={"note": "mine"})
    assert again.status_code == 409
    with storage.read() as conn:
        query = select(audit_leaves.c.subject).where(audit_leaves.c.kind == "security.acknowledged")
        assert list(conn.scalars(query)) == [f"security_event:{told[0]}"]


def test_what_happened_meanwhile_is_not_acknowledged_unseen(
    client: TestClient, storage: Storage, told: list[int]
) -> None:
    path = f"{EVENTS}/{told[2]}"
    headers = {"If-Match": client.get(path).headers["etag"]}
    with storage.write() as conn:
        kind = SecurityKind.OVERSIZED_MESSAGE
        report(conn, kind=kind, subject="site-b-01", detail={"topic": "x"}, now_ms=NOW_MS + 9_000)
    refused = client.post(f"{path}/acknowledge", json={"note": "fine"}, headers=headers)
    assert refused.status_code == 412
    with storage.read() as conn:
        row = conn.execute(select(security_events).where(security_events.c.id == told[2])).one()
    assert (row.acknowledged_ms, row.occurrences) == (None, 2)


@pytest.mark.parametrize("note", ["", "x" * 301, "a\x00b", "a\x1bb", 7])
def test_a_note_that_is_none_is_refused(client: TestClient, told: list[int], note: object) -> None:
    assert client.post(f"{EVENTS}/{told[0]}/acknowledge", json={"note": note}).status_code == 422


def test_what_is_not_there_is_not_found(client: TestClient) -> None:
    assert client.get(f"{EVENTS}/99").status_code == 404
    assert client.post(f"{EVENTS}/99/acknowledge", json={"note": "x"}).status_code == 404


def test_a_stranger_sees_and_changes_nothing(stranger: TestClient, told: list[int]) -> None:
    assert stranger.get(EVENTS).status_code == 401
    answer = stranger.post(f"{EVENTS}/{told[0]}/acknowledge", json={"note": "x"})
    assert answer.status_code == 401
