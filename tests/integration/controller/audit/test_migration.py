"""Leaves that were queued before there was a tree are in it afterwards."""

import hashlib

from alembic import command
from sqlalchemy import text

from controller.storage.engine import Storage
from controller.storage.migrate import alembic_config, migrate
from shared.merkle import leaf_hash
from tests.audit_logs import bodies, integrator

BODIES = [f"leaf {number}".encode() for number in range(3)]


def test_leaves_of_before_get_their_hashes_and_lose_them_again(storage: Storage) -> None:
    config = alembic_config()
    with storage.write() as conn:
        config.attributes["connection"] = conn
        command.downgrade(config, "0003")
        for body in BODIES:
            conn.execute(
                text(
                    "INSERT INTO audit_leaves (kind, actor, subject, body, sha256, created_ms)"
                    " VALUES ('k', 'a', 's', :body, :hash, 1)"
                ),
                {"body": body, "hash": hashlib.sha256(body).digest()},
            )
    migrate(storage)
    with storage.read() as conn:
        found = conn.execute(text("SELECT leaf_hash FROM audit_leaves ORDER BY id")).scalars()
        assert [bytes(one) for one in found] == [leaf_hash(body) for body in BODIES]
    integrator(storage).round()
    assert bodies(storage) == BODIES
    with storage.write() as conn:
        config.attributes["connection"] = conn
        command.downgrade(config, "0003")
        found = conn.execute(text("SELECT sha256 FROM audit_leaves ORDER BY id")).scalars()
        assert [bytes(one) for one in found] == [hashlib.sha256(body).digest() for body in BODIES]
