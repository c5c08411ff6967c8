"""The audit log over REST: what is given away proves itself."""

import base64
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import delete

from controller.audit.notes import parse, signed_by
from controller.audit.verify import Trust, verify
from controller.storage.engine import Storage
from controller.storage.tables import audit_leaves
from shared.merkle import Head, is_consistent, is_included, leaf_hash
from shared.time import from_ms
from tests import naive_tree
from tests.audit_logs import KEY, bodies, fill, queue
from tests.nodes import NOON_MS

AUDIT = "/api/v1/audit"


@pytest.fixture(autouse=True)
def only_ours(application: FastAPI, storage: Storage) -> None:
    """Without the leaves of the account that the tests' token belongs to."""
    with storage.write() as conn:
        conn.execute(delete(audit_leaves))


def got(client: TestClient, path: str, status: int = 200, **query: Any) -> Any:
    answer: Response = client.get(AUDIT + path, params={k: str(v) for k, v in query.items()})
    assert answer.status_code == status, answer.text
    return answer.json()


def test_an_empty_log_says_so(client: TestClient) -> None:
    told = got(client, "")
    assert (told["size"], told["signed"], told["newest_head"]) == (0, False, None)
    got(client, "/heads/latest", 404)
    assert got(client, "/leaves")["items"] == []


def test_the_status_tells_what_is_queued(client: TestClient, storage: Storage) -> None:
    fill(storage, 4)
    queue(storage, 3, 4)
    told = got(client, "")
    assert (told["size"], told["queued"], told["signed"]) == (4, 3, True)
    assert told["newest_head"]["size"] == 4
    assert told["authorities"] == []


def test_heads_are_signed_notes(client: TestClient, storage: Storage) -> None:
    fill(storage, 4, 3, 2)
    first = got(client, "/heads", limit=2)
    second = got(client, "/heads", limit=2, cursor=first["next_cursor"])
    shown = [*first["items"], *second["items"]]
    assert [one["size"] for one in shown] == [9, 7, 4]
    assert got(client, "/heads/latest") == shown[0]
    assert got(client, "/heads/7") == shown[1]
    got(client, "/heads/8", 404)
    for one in shown:
        note = parse(one["note"])
        assert signed_by(note, [KEY.public_key()])
        assert note.tree_head.head.root.hex() == one["root"]


def test_leaves_are_filtered_and_paged(client: TestClient, storage: Storage) -> None:
    fill(storage, 9)
    assert [one["index"] for one in got(client, "/leaves")["items"]] == list(range(8, -1, -1))
    made = got(client, "/leaves", kind="test.made")["items"]
    assert [one["data"]["number"] for one in made] == [8, 6, 4, 2, 0]
    assert [one["index"] for one in got(client, "/leaves", actor="user:1")["items"]] == [7, 4, 1]
    (one,) = got(client, "/leaves", subject="thing-5", kind="test.changed")["items"]
    assert one["time"] == from_ms(NOON_MS + 5).isoformat().replace("+00:00", "Z")
    assert got(client, "/leaves", subject="thing-5", kind="test.made")["items"] == []
    start, end = from_ms(NOON_MS + 2).isoformat(), from_ms(NOON_MS + 4).isoformat()
    span: dict[str, Any] = {"from": start, "to": end}
    within = got(client, "/leaves", **span)["items"]
    assert [one["index"] for one in within] == [3, 2]
    page = got(client, "/leaves", limit=4)
    rest = got(client, "/leaves", limit=9, cursor=page["next_cursor"])
    assert [one["index"] for one in rest["items"]] == [4, 3, 2, 1, 0]


def test_a_leaf_gives_the_bytes_that_its_hash_is_over(client: TestClient, storage: Storage) -> None:
    fill(storage, 3)
    leaf = got(client, "/leaves")["items"][1]
    body = base64.b64decode(leaf["body"])
    assert body == bodies(storage)[1]
    assert leaf_hash(body).hex() == leaf["leaf_hash"]
    assert got(client, f"/leaves/{leaf['id']}") == leaf
    got(client, "/leaves/999", 404)


def test_an_inclusion_proof_holds_by_id_and_by_index(client: TestClient, storage: Storage) -> None:
    fill(storage, 300, 41)
    leaf = got(client, "/leaves", subject="thing-17")["items"][0]
    for size in (18, 300, 341):
        by_id = got(client, f"/leaves/{leaf['id']}/proof", size=size)
        assert by_id == got(client, "/proofs/inclusion", index=17, size=size)
        root = naive_tree.root(bodies(storage)[:size])
        path = [bytes.fromhex(one) for one in by_id["path"]]
        assert is_included(bytes.fromhex(leaf["leaf_hash"]), 17, size, path, root)
        assert by_id["root"] == root.hex()
    assert got(client, "/proofs/inclusion", index=17)["size"] == 341


def test_a_consistency_proof_holds(client: TestClient, storage: Storage) -> None:
    fill(storage, 300, 41)
    leaves = bodies(storage)
    for first in (1, 256, 300, 341):
        told = got(client, "/proofs/consistency", first=first, second=341)
        path = [bytes.fromhex(one) for one in told["path"]]
        old = Head(first, naive_tree.root(leaves[:first]))
        assert is_consistent(old, Head(341, naive_tree.root(leaves)), path)


def test_what_cannot_be_proven_is_refused(client: TestClient, storage: Storage) -> None:
    fill(storage, 5)
    queue(storage, 1, 5)
    queued = got(client, "/leaves", subject="thing-5")["items"][0]
    assert queued["index"] is None
    got(client, f"/leaves/{queued['id']}/proof", 409)
    got(client, "/leaves/999/proof", 404)
    got(client, "/proofs/inclusion", 404, index=5)
    got(client, "/proofs/inclusion", 409, index=3, size=3)
    got(client, "/proofs/inclusion", 409, index=3, size=6)
    got(client, "/proofs/inclusion", 422, index=-1)
    got(client, "/proofs/consistency", 409, first=2, second=6)
    got(client, "/proofs/consistency", 409, first=4, second=3)
    got(client, "/proofs/consistency", 422, first=0, second=3)
    got(client, "/heads/0", 422)
    got(client, "/leaves", 422, kind="k\0")


def test_the_export_holds_wherever_it_is_checked(client: TestClient, storage: Storage) -> None:
    fill(storage, 400, 50)
    answer = client.get(AUDIT + "/export")
    assert answer.headers["content-type"] == "application/x-ndjson"
    found = verify(answer.content.splitlines(keepends=True), Trust([KEY.public_key()]))
    assert (found.leaves, found.heads) == (450, 2)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/heads",
        "/heads/latest",
        "/heads/1",
        "/leaves",
        "/leaves/1",
        "/leaves/1/proof",
        "/proofs/inclusion?index=0",
        "/proofs/consistency?first=1&second=1",
        "/export",
    ],
)
def test_a_stranger_is_told_nothing(stranger: TestClient, storage: Storage, path: str) -> None:
    fill(storage, 1)
    assert stranger.get(AUDIT + path).status_code == 401
