"""A treasury with a recovery path has its coins in the calendar."""

import pytest
from sqlalchemy import select

from controller.errors import ConflictError
from controller.storage.engine import Storage
from controller.storage.tables import wallet_coins
from controller.wallets.following import Following
from controller.wallets.refresh import RefreshRules, Urgency
from controller.wallets.refreshing import openings_of, wallet_calendar
from controller.wallets.registry import NewWallet, create_wallet
from controller.wallets.scripts import DescriptorScripts
from controller.wallets.tiers import Tier
from shared.bitcoin.bip32 import ExtendedPrivateKey
from shared.bitcoin.descriptors import parse
from shared.bitcoin.networks import Network
from tests.wallet_chain import NOW_MS, Chain, foreign, spend

KEYS = [
    ExtendedPrivateKey.of_seed(bytes([number]) * 32).public.serialise(Network.REGTEST) + "/<0;1>/*"
    for number in range(2)
]


def decaying(blocks: int) -> str:
    return f"wsh(or_d(pk({KEYS[0]}),and_v(v:pkh({KEYS[1]}),older({blocks}))))"


def test_a_treasurys_coins_are_due_before_their_recovery_path_opens(storage: Storage) -> None:
    text = decaying(1_000)
    scripts = DescriptorScripts.of_text(text, Network.REGTEST)
    new = NewWallet("own", "treasury", Tier.COLD, Network.REGTEST, text, 1, gap_limit=2)
    with storage.write() as conn:
        create_wallet(conn, new, scripts, actor="user:1", now_ms=NOW_MS)
    chain = Chain(storage, Following(Network.REGTEST))
    chain.mine(spend([foreign(1)], [(scripts.script_at(0, 0), 10_000)]))
    chain.mine(spend([foreign(2)], [(scripts.script_at(0, 1), 20_000)]))
    with storage.read() as conn:
        entries = wallet_calendar(conn, 1, RefreshRules(lead_blocks=500, alarm_blocks=100))
        assert len(conn.execute(select(wallet_coins)).all()) == 2
    assert [(one.amount_sat, one.open_height) for one in entries] == [
        (10_000, 1_001),
        (20_000, 1_002),
    ]
    assert [entries[0].urgency(height) for height in (500, 501, 901, 1_001)] == list(Urgency)


def test_a_wallet_without_other_paths_has_no_calendar_and_locks_by_time_are_refused() -> None:
    assert openings_of(parse(f"wpkh({KEYS[0]})", Network.REGTEST)) == ()
    with pytest.raises(ConflictError, match="by time"):
        openings_of(parse(decaying((1 << 22) + 5), Network.REGTEST))
