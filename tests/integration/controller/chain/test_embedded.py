"""The embedded chain: mining, restarts, reorganisations, and the mempool through all of it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.chain.backend import check_network
from controller.chain.embedded.chain import EmbeddedChain
from controller.chain.embedded.miner import subsidy_sat
from controller.chain.errors import ChainError, MiningError, NotAcceptedError
from shared.bitcoin.transaction import OutPoint, Transaction, TxOut
from shared.errors import BadInputError
from tests.unit.controller.chain.ledger import ANYONE, spend


@pytest.fixture
def chain() -> Iterator[EmbeddedChain]:
    opened = EmbeddedChain()
    yield opened
    opened.close()


def coin(chain: EmbeddedChain, height: int) -> OutPoint:
    """The reward of the best chain's block at a height."""
    return OutPoint(chain.block(chain.header_at(height).ref.block_hash).transactions[0].txid, 0)


def pay(outpoint: OutPoint, amount_sat: int, fee_sat: int = 1_000, outputs: int = 1) -> Transaction:
    each = (amount_sat - fee_sat) // outputs
    return spend([outpoint], [TxOut(each, ANYONE)] * outputs)


_REWARD_SAT = 50 * 10**8


def test_the_chain_begins_with_regtests_first_block(chain: EmbeddedChain) -> None:
    assert check_network(chain).version == 290_000
    assert chain.tip().height == 0


def test_a_mined_block_takes_what_the_mempool_has_and_its_fees(chain: EmbeddedChain) -> None:
    chain.mine(101, ANYONE)
    parent = pay(coin(chain, 1), _REWARD_SAT)
    chain.broadcast(parent)
    child = pay(parent.outpoint(0), _REWARD_SAT - 1_000, 5_000)
    chain.broadcast(child)
    (mined,) = chain.mine(1, ANYONE)
    block = chain.block(mined.block_hash)
    assert [one.txid for one in block.transactions[1:]] == [parent.txid, child.txid]
    assert block.transactions[0].outputs[0].amount_sat == _REWARD_SAT + 6_000
    assert block.spent is not None
    assert [one.output.amount_sat for spent in block.spent for one in spent] == [
        *(_REWARD_SAT, _REWARD_SAT - 1_000)
    ]
    assert chain.pool_txids() == frozenset()


def test_the_reward_is_halved_every_150_blocks(chain: EmbeddedChain) -> None:
    refs = chain.mine(150)
    first, last = (chain.block(refs[at].block_hash) for at in (148, 149))
    assert first.transactions[0].outputs[0].amount_sat == _REWARD_SAT
    assert last.transactions[0].outputs[0].amount_sat == _REWARD_SAT // 2
    assert subsidy_sat(150 * 64) == 0


def test_a_reorganisation_brings_its_transactions_back(chain: EmbeddedChain) -> None:
    chain.mine(102, ANYONE)
    kept, lost = coin(chain, 1), coin(chain, 2)
    first = pay(kept, _REWARD_SAT)
    chain.broadcast(first)
    chain.mine()
    second = pay(lost, _REWARD_SAT)
    child = pay(first.outpoint(0), _REWARD_SAT - 1_000)
    chain.broadcast(second)
    chain.broadcast(child)
    chain.reorganise(102, 2)
    assert chain.pool_txids() == {first.txid, second.txid, child.txid}
    assert chain.unspent(first.outpoint(0), with_mempool=False) is None
    assert chain.pool_ancestors(child.txid) == frozenset({first.txid})
    chain.mine()
    assert chain.pool_txids() == frozenset()


def test_a_coinbase_that_a_reorganisation_undid_takes_its_spender_with_it(
    chain: EmbeddedChain,
) -> None:
    chain.mine(101, ANYONE)
    spender = pay(coin(chain, 1), _REWARD_SAT)
    chain.broadcast(spender)
    child = pay(spender.outpoint(0), _REWARD_SAT - 1_000)
    chain.broadcast(child)
    assert len(chain.pool_txids()) == 2
    chain.reorganise(0, 102)
    assert chain.pool_txids() == frozenset()


def test_a_spend_that_is_too_early_after_a_reorganisation_leaves(chain: EmbeddedChain) -> None:
    chain.mine(101, ANYONE)
    spender = pay(coin(chain, 1), _REWARD_SAT)
    assert chain.broadcast(spender).is_accepted
    tip = chain.reorganise(50, 51)
    assert tip.height == 101  # equal length: the first one seen stays
    assert chain.pool_txids() == {spender.txid}
    chain.reorganise(50, 52)
    assert chain.pool_txids() == {spender.txid}  # 102 blocks: still mature


def test_a_block_with_a_double_spend_evicts_the_mempools_one(chain: EmbeddedChain) -> None:
    chain.mine(101, ANYONE)
    outpoint = coin(chain, 1)
    loser = pay(outpoint, _REWARD_SAT)
    chain.broadcast(loser)
    child = pay(loser.outpoint(0), _REWARD_SAT - 1_000)
    chain.broadcast(child)
    winner = pay(outpoint, _REWARD_SAT, 3_000)
    chain.mine_with([winner])
    assert chain.pool_txids() == frozenset()
    assert chain.unspent(winner.outpoint(0), with_mempool=True) is not None


def test_a_branch_that_spends_twice_is_refused_by_the_engine(chain: EmbeddedChain) -> None:
    chain.mine(101, ANYONE)
    outpoint = coin(chain, 1)
    first, second = pay(outpoint, _REWARD_SAT), pay(outpoint, _REWARD_SAT, 2_000)
    tip = chain.tip()
    with pytest.raises(MiningError):
        chain.mine_with([first, second])
    assert chain.tip() == tip
    chain.mine_with([first])
    with pytest.raises(MiningError):
        chain.mine_with([second])


def test_a_branch_shorter_than_the_chain_changes_nothing(chain: EmbeddedChain) -> None:
    chain.mine(5)
    tip = chain.tip()
    assert chain.reorganise(2, 2) == tip
    with pytest.raises(BadInputError, match="fork_height"):
        chain.reorganise(6, 1)


def test_coins_are_the_same_after_reorganisations_as_on_a_chain_that_had_none(
    chain: EmbeddedChain,
) -> None:
    chain.mine(105, ANYONE)
    split = pay(coin(chain, 1), _REWARD_SAT, outputs=3)
    joined = spend([split.outpoint(0), split.outpoint(2)], [TxOut(10**9, ANYONE)])
    chain.mine_with([split])
    chain.mine_with([joined])
    spent = coin(chain, 1)
    chain.reorganise(104, 4)
    assert chain.unspent(spent, with_mempool=False) is not None
    assert chain.unspent(split.outpoint(1), with_mempool=False) is None
    chain.mine_with([split, joined])
    unspent = chain.unspent(split.outpoint(1), with_mempool=False)
    assert unspent is not None
    assert (unspent.height, unspent.is_coinbase) == (109, False)
    assert chain.unspent(split.outpoint(0), with_mempool=False) is None


def test_a_restart_has_every_block_and_the_mempool(tmp_path: Path) -> None:
    first = EmbeddedChain(tmp_path / "chain")
    first.mine(101, ANYONE)
    first.reorganise(90, 13, ANYONE)
    waiting = pay(coin(first, 2), _REWARD_SAT)
    first.broadcast(waiting)
    tip, unspent = first.tip(), first.unspent(coin(first, 3), with_mempool=True)
    with pytest.raises(ChainError, match="in use"):
        EmbeddedChain(tmp_path / "chain")
    first.close()
    second = EmbeddedChain(tmp_path / "chain")
    assert second.tip() == tip
    assert second.unspent(coin(second, 3), with_mempool=True) == unspent
    assert second.pool_txids() == {waiting.txid}
    second.mine()
    assert second.pool_txids() == frozenset()
    second.close()


def test_a_block_cut_off_by_a_crash_is_dropped_and_damage_is_named(tmp_path: Path) -> None:
    opened = EmbeddedChain(tmp_path)
    opened.mine(3)
    opened.close()
    file = tmp_path / "blocks.bin"
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])
    again = EmbeddedChain(tmp_path)
    assert again.tip().height == 2
    again.mine()
    again.close()
    third = EmbeddedChain(tmp_path)
    assert third.tip().height == 3
    third.close()
    damaged = bytearray(whole)
    damaged[20] ^= 1
    file.write_bytes(bytes(damaged))
    with pytest.raises(ChainError, match="byte 0 is damaged"):
        EmbeddedChain(tmp_path)


def test_what_the_mempool_refuses_is_named(chain: EmbeddedChain) -> None:
    chain.mine(100, ANYONE)
    early = pay(coin(chain, 2), _REWARD_SAT)
    with pytest.raises(NotAcceptedError, match="premature-spend") as raised:
        chain.broadcast(early)
    assert raised.value.txid == early.txid
    assert chain.test_accept(early).reason == "bad-txns-premature-spend-of-coinbase"


def test_the_estimate_rises_once_the_mempool_holds_more_than_its_blocks(
    chain: EmbeddedChain,
) -> None:
    chain.mine(101, ANYONE)
    assert chain.fee_estimate(1).feerate_sat_per_kvb == 1_000
    with pytest.raises(BadInputError, match="target_blocks"):
        chain.fee_estimate(0)
    split = pay(coin(chain, 1), _REWARD_SAT, 10**6, outputs=2_000)
    chain.broadcast(split)
    chain.mine()
    for vout in range(12):
        amount = split.outputs[vout].amount_sat
        chain.broadcast(pay(split.outpoint(vout), amount, 500_000 + vout * 10_000, outputs=2_200))
    (lowest,) = (chain.fee_estimate(1).feerate_sat_per_kvb,)
    assert lowest is not None
    assert 5_000 < lowest < 7_000
    assert chain.fee_estimate(2).feerate_sat_per_kvb == 1_000


_MINES_FOR_EVER = """
import sys
from pathlib import Path
from controller.chain.embedded.chain import EmbeddedChain
chain = EmbeddedChain(Path(sys.argv[1]))
while True:
    print(chain.mine(3)[-1].hex, flush=True)
"""


def test_a_killed_process_loses_no_block_that_it_told_of(tmp_path: Path) -> None:
    folder = tmp_path / "chain"
    process = subprocess.Popen(
        [sys.executable, "-c", _MINES_FOR_EVER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told = [process.stdout.readline().strip() for _ in range(5)]
    process.kill()
    told += process.stdout.read().splitlines()[:-1]
    process.wait()
    process.stdout.close()
    chain = EmbeddedChain(folder)
    heights = [int(one.partition(":")[0]) for one in told]
    assert [chain.header_at(height).ref.hex for height in heights] == told
    chain.close()
