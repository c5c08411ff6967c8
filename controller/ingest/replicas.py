"""What replicas that take in messages have in common."""

import secrets

from sqlalchemy import select

from controller.storage.engine import Storage
from controller.storage.tables import access_salts
from controller.storage.upsert import insert_missing

_NAME = "broker-group"
_BYTES = 16


def subscription_group(storage: Storage) -> str:
    """The name under which this deployment's replicas share their subscriptions: 128 random bits,
    made when first asked for and the same for every process on this database."""
    row = {"name": _NAME, "value": secrets.token_bytes(_BYTES)}
    with storage.write() as conn:
        insert_missing(conn, access_salts, [row], ["name"])
        value: bytes = conn.scalars(
            select(access_salts.c.value).where(access_salts.c.name == _NAME)
        ).one()
    return value.hex()
