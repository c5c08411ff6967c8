"""Wallets and their scripts in the database."""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from controller.audit import queue_leaf
from controller.errors import ConflictError, MissingError
from controller.storage.tables import wallet_scripts, wallets
from controller.wallets.books.lots import Method
from controller.wallets.coin_life import COINBASE_MATURITY
from controller.wallets.indices import (
    WalletScripts,
    check_gap_limit,
    next_index,
    watched_until,
)
from controller.wallets.tiers import Tier
from shared.bitcoin.networks import Network
from shared.errors import BadInputError

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_A_QUERY = 500
_MOST_FINALITY = 1_000


@dataclass(frozen=True, slots=True)
class NewWallet:
    """A wallet to be: `birth_height` is the first block that can pay to it."""

    organisation: str
    name: str
    tier: Tier
    network: Network
    descriptor: str
    birth_height: int
    gap_limit: int = 20
    finality_depth: int = COINBASE_MATURITY
    relief_method: Method = Method.FIFO

    def __post_init__(self) -> None:
        for field, value in (("organisation", self.organisation), ("name", self.name)):
            if not _NAME.fullmatch(value):
                raise BadInputError(field, repr(value[:80]), "1 to 64 of a-z, 0-9 and -")
        if len(self.organisation) > 63:
            raise BadInputError("organisation", self.organisation[:80], "at most 63 characters")
        if not 0 <= self.birth_height < 2**31:
            raise BadInputError("birth_height", str(self.birth_height), "a block's height")
        if not 2 <= self.finality_depth <= _MOST_FINALITY:
            raise BadInputError(
                "finality_depth", str(self.finality_depth), f"from 2 to {_MOST_FINALITY} blocks"
            )
        if self.relief_method is Method.NAMED:
            raise BadInputError("relief_method", "named", "fifo or hifo, for what nobody planned")
        check_gap_limit(self.gap_limit)


def create_wallet(
    conn: Connection, new: NewWallet, scripts: WalletScripts, *, actor: str, now_ms: int
) -> int:
    """Enters a wallet with its first scripts; its id.

    `ConflictError` where its name is taken, or a script of it is of another wallet.
    """
    taken = select(wallets.c.id).where(
        wallets.c.organisation == new.organisation, wallets.c.name == new.name
    )
    if conn.execute(taken).first() is not None:
        raise ConflictError(f"{new.organisation} has a wallet {new.name!r} already")
    wallet_id: int = conn.execute(
        insert(wallets)
        .values(
            organisation=new.organisation,
            name=new.name,
            tier=new.tier.value,
            network=new.network.value,
            descriptor=new.descriptor,
            input_weight=scripts.input_weight,
            birth_height=new.birth_height,
            gap_limit=new.gap_limit,
            finality_depth=new.finality_depth,
            relief_method=new.relief_method.value,
            created_ms=now_ms,
        )
        .returning(wallets.c.id)
    ).scalar_one()
    extend_scripts(conn, wallet_id, new.gap_limit, scripts)
    queue_leaf(
        conn,
        kind="wallet.created",
        actor=actor,
        subject=f"{new.organisation}/{new.name}",
        data={
            "descriptor": new.descriptor,
            "network": new.network.value,
            "tier": new.tier.value,
            "birth_height": new.birth_height,
            "finality_depth": new.finality_depth,
        },
        now_ms=now_ms,
    )
    return wallet_id


def find_wallet(conn: Connection, wallet_id: int) -> Row[Any]:
    """The wallet's row; `MissingError` where there is none."""
    row = conn.execute(select(wallets).where(wallets.c.id == wallet_id)).one_or_none()
    if row is None:
        raise MissingError("wallet", wallet_id)
    return row


def lock_wallet(conn: Connection, wallet_id: int) -> Row[Any]:
    """The wallet's row under its next revision, locked until the transaction ends.

    Whatever changes coins, reservations or books of a wallet does this first: so a wallet's
    changes are one after the other, and coins changed carry the revision they changed with.
    """
    row = conn.execute(
        update(wallets)
        .where(wallets.c.id == wallet_id)
        .values(revision=wallets.c.revision + 1)
        .returning(wallets)
    ).one_or_none()
    if row is None:
        raise MissingError("wallet", wallet_id)
    return row


def extend_scripts(
    conn: Connection, wallet_id: int, gap_limit: int, scripts: WalletScripts
) -> list[bytes]:
    """Enters scripts until the gap behind the last used one is full again; what was added."""
    added: list[dict[str, Any]] = []
    for branch in range(scripts.branches):
        known = _extent(conn, wallet_id, branch, used_only=False)
        used = _extent(conn, wallet_id, branch, used_only=True)
        start = 0 if known is None else known + 1
        added += [
            {
                "wallet_id": wallet_id,
                "branch": branch,
                "number": number,
                "script_pubkey": scripts.script_at(branch, number),
            }
            for number in range(start, watched_until(used, gap_limit))
        ]
    new = [row["script_pubkey"] for row in added]
    if find_scripts(conn, new):
        raise ConflictError("a script of the descriptor is of another wallet already")
    if added:
        conn.execute(insert(wallet_scripts), added)
    return new


def _extent(conn: Connection, wallet_id: int, branch: int, *, used_only: bool) -> int | None:
    query = select(func.max(wallet_scripts.c.number)).where(
        wallet_scripts.c.wallet_id == wallet_id, wallet_scripts.c.branch == branch
    )
    if used_only:
        query = query.where(wallet_scripts.c.used == 1)
    highest: int | None = conn.scalar(query)
    return highest


def find_scripts(conn: Connection, scripts: list[bytes]) -> dict[bytes, Row[Any]]:
    """Those of the scripts that are a wallet's, with their rows."""
    found: dict[bytes, Row[Any]] = {}
    for start in range(0, len(scripts), _A_QUERY):
        some = scripts[start : start + _A_QUERY]
        rows = conn.execute(select(wallet_scripts).where(wallet_scripts.c.script_pubkey.in_(some)))
        found |= {row.script_pubkey: row for row in rows}
    return found


def give_out(conn: Connection, wallet_id: int, branch: int, *, now_ms: int) -> tuple[int, bytes]:
    """The next index of a branch that nobody was given, and its script.

    `ConflictError` where the gap limit leaves none.
    """
    row = lock_wallet(conn, wallet_id)
    known = conn.execute(
        select(wallet_scripts).where(
            wallet_scripts.c.wallet_id == wallet_id, wallet_scripts.c.branch == branch
        )
    ).all()
    if not known:
        raise BadInputError("branch", str(branch), "a branch of the wallet's descriptor")
    used = {one.number for one in known if one.used}
    given_out = {one.number for one in known if one.given_out_ms is not None}
    number = next_index(used, given_out, row.gap_limit)
    conn.execute(
        update(wallet_scripts)
        .where(
            wallet_scripts.c.wallet_id == wallet_id,
            wallet_scripts.c.branch == branch,
            wallet_scripts.c.number == number,
        )
        .values(given_out_ms=now_ms)
    )
    return number, next(one.script_pubkey for one in known if one.number == number)
