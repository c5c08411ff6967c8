"""Which scripts matter."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from controller.chain.errors import ChainError
from controller.storage.tables import chain_state, chain_watches
from controller.storage.upsert import insert_missing
from shared.errors import BadInputError

_MAX_SCRIPT_BYTES = 1_000
_BATCH = 500


def watch(conn: Connection, script_pubkeys: Sequence[bytes]) -> None:
    """Watches these output scripts from the next block on, in the caller's own transaction.

    A script stays watched for good. What earlier blocks had of it is found by
    `runner.Follower.rescan`. Watching again changes nothing. Needs `runner.Follower.start` once
    before, else ChainError.
    """
    for script_pubkey in script_pubkeys:
        if not 0 < len(script_pubkey) <= _MAX_SCRIPT_BYTES:
            raise BadInputError(
                "script_pubkey", f"{len(script_pubkey)} bytes", f"1 to {_MAX_SCRIPT_BYTES} bytes"
            )
    # The row is the lock: the follower, which holds it while it commits a block, reads watches by
    # their rising ids and must not meet a higher one before a lower one.
    locked = conn.execute(select(chain_state.c.id).with_for_update()).first()
    if locked is None:
        raise ChainError("the chain follower was never started on this database")
    for at in range(0, len(script_pubkeys), _BATCH):
        rows = [{"script_pubkey": one} for one in script_pubkeys[at : at + _BATCH]]
        insert_missing(conn, chain_watches, rows, ["script_pubkey"])
