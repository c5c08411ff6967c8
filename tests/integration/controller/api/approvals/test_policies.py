"""A policy is changed with others' approval, if it is still what they saw."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from controller.config import RetentionConfig
from controller.retention.job import enter_defaults
from controller.retention.settings import DAY_MS, keep_from_words, keep_words
from shared.errors import BadInputError
from tests.approvers import with_file
from tests.integration.controller.api.approvals.test_approvals import say
from tests.offices import Office

EVENTS = "/api/v1/retention/events"


@pytest.fixture
def settings(office: Office) -> None:
    """Everything is kept as long as by default."""
    with office.storage.write() as conn:
        enter_defaults(conn, office.clock, RetentionConfig())


def wish(client: TestClient, keep_days: int | None) -> Any:
    """Somebody wants events kept for another time."""
    version = client.get(EVENTS).headers["etag"]
    return client.put(EVENTS, json={"keep_days": keep_days}, headers={"If-Match": version})


@pytest.mark.usefixtures("settings")
def test_retention_is_changed_by_the_last_approval(client: TestClient, office: Office) -> None:
    before = client.get(EVENTS).json()
    asked = wish(client, 30)
    assert asked.status_code == 202, asked.text
    request_id = asked.json()["approval"]
    assert asked.headers["location"] == f"/api/v1/approvals/{request_id}"
    assert client.get(EVENTS).json() == before
    shown = client.get(f"/api/v1/approvals/{request_id}").json()
    assert {"label": "Setting events", "value": "1200 days → 30 days"} in shown["lines"]
    assert say(client, request_id, with_file("alice")).json()["state"] == "used"
    assert client.get(EVENTS).json()["keep_ms"] == 30 * DAY_MS
    assert client.get(EVENTS).json()["version"] == before["version"] + 1


@pytest.mark.usefixtures("settings")
def test_a_setting_changed_meanwhile_is_not_changed_again(
    client: TestClient, office: Office
) -> None:
    first, second = (wish(client, days).json()["approval"] for days in (30, None))
    assert say(client, first, with_file("alice")).json()["state"] == "used"
    answer = say(client, second, with_file("bob"))
    assert (answer.status_code, "no longer 1200 days" in answer.json()["detail"]) == (409, True)
    assert client.get(EVENTS).json()["keep_ms"] == 30 * DAY_MS


@pytest.mark.usefixtures("settings")
def test_what_the_client_did_not_see_is_not_put_before_approvers(
    client: TestClient, office: Office
) -> None:
    stale = client.put(EVENTS, json={"keep_days": 1}, headers={"If-Match": '"99"'})
    assert (stale.status_code, office.leaves("approval.")) == (412, [])


@pytest.mark.parametrize("keep_ms", [None, 1, DAY_MS - 1, DAY_MS, 36_500 * DAY_MS])
def test_a_time_is_read_as_it_is_told(keep_ms: int | None) -> None:
    assert keep_from_words(keep_words(keep_ms)) == keep_ms


@pytest.mark.parametrize("text", ["", "days", "0 days", "-1 days", "1.5 days", "1 day", "1 days "])
def test_another_time_is_refused(text: str) -> None:
    with pytest.raises(BadInputError):
        keep_from_words(text)
