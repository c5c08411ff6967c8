"""Blocks for regtest: the coinbase, the commitments, and the proof of work. Pure."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace

from controller.chain.blocks import Block, BlockHeader, merkle_root
from controller.chain.mempool.pool import Entry, Pool
from shared.bitcoin.amounts import SATS_PER_BTC
from shared.bitcoin.hashes import sha256d
from shared.bitcoin.script import null_data, push, script
from shared.bitcoin.transaction import NULL_TXID, OutPoint, Transaction, TxIn, TxOut
from shared.bitcoin.wire import MAX_U32

REGTEST_BITS = 0x207FFFFF
HALVING_BLOCKS = 150
_VERSION = 0x20000000
_RESERVED = bytes(32)
_COMMITMENT = bytes.fromhex("aa21a9ed")
_MAX_TRANSACTION_WEIGHT = 3_992_000  # 29.0: four million less 8,000 for header and coinbase
_MAX_SIGOPS_COST = 79_600  # consensus has 80,000; the coinbase's outputs count too
_MIN_SAT_PER_MVB = 1_000_000  # 1 sat/vB: 29.0's -blockmintxfee


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block goes: its parent, its height, and its time."""

    previous: bytes
    height: int
    time_s: int


def subsidy_sat(height: int) -> int:
    """What a block may create: halved every 150 blocks on regtest."""
    halvings = height // HALVING_BLOCKS
    return 0 if halvings >= 64 else (50 * SATS_PER_BTC) >> halvings


def assemble(
    place: Place, payout: bytes, transactions: Sequence[Transaction], fees_sat: int, extra: bytes
) -> Block:
    """A block that pays subsidy and fees to the script `payout`, with its work done.

    `extra` (2 to 80 bytes) stands in the coinbase, so that equal blocks on one parent differ.
    """
    coinbase = _coinbase(place.height, payout, fees_sat, extra)
    wtxids = [_RESERVED, *(one.wtxid for one in transactions)]
    commitment = _COMMITMENT + sha256d(merkle_root(wtxids) + _RESERVED)
    outputs = (*coinbase.outputs, TxOut(0, null_data(commitment)))
    coinbase = replace(coinbase, outputs=outputs)
    everything = (coinbase, *transactions)
    header = BlockHeader(
        version=_VERSION,
        previous=place.previous,
        merkle_root=merkle_root([one.txid for one in everything]),
        time_s=place.time_s,
        bits=REGTEST_BITS,
        nonce=0,
    )
    return Block(_solve(header), everything)


def _coinbase(height: int, payout: bytes, fees_sat: int, extra: bytes) -> Transaction:
    """The height stands first in its scriptSig (BIP34)."""
    spender = TxIn(
        OutPoint(NULL_TXID, MAX_U32),
        script_sig=script(height) + push(extra),
        witness=(_RESERVED,),
    )
    return Transaction(2, (spender,), (TxOut(subsidy_sat(height) + fees_sat, payout),))


def _solve(header: BlockHeader) -> BlockHeader:
    """Every second nonce does on regtest."""
    for nonce in range(1 << 16):
        solved = replace(header, nonce=nonce)
        if solved.has_work:
            return solved
    raise ArithmeticError("no nonce of 65,536 meets regtest's target")  # chance: 2**-65536


def select(pool: Pool) -> tuple[Entry, ...]:
    """What a block takes from the mempool, parents first: best feerate with ancestors first.

    As Core's `BlockAssembler::addPackageTxs`, with 29.0's limits and its floor of 1 sat/vB.
    """
    chosen: dict[bytes, Entry] = {}
    weight = sigops = 0
    heap = [(_score(_missing(entry, pool, chosen)), entry.txid) for entry in pool]
    heapq.heapify(heap)
    while heap:
        score, txid = heapq.heappop(heap)
        if txid in chosen:
            continue
        package = _missing(pool.entries([txid])[0], pool, chosen)
        now = _score(package)
        if now != score:
            heapq.heappush(heap, (now, txid))
            continue
        if -score < _MIN_SAT_PER_MVB:
            break
        added = sum(one.weight for one in package)
        added_sigops = sum(one.sigops_cost for one in package)
        if weight + added > _MAX_TRANSACTION_WEIGHT or sigops + added_sigops > _MAX_SIGOPS_COST:
            continue
        weight, sigops = weight + added, sigops + added_sigops
        chosen |= {one.txid: one for one in package}
        for one in pool.with_descendants(one.txid for one in package) - set(chosen):
            waiting = pool.entries([one])[0]
            heapq.heappush(heap, (_score(_missing(waiting, pool, chosen)), one))
    return tuple(chosen.values())


def _missing(entry: Entry, pool: Pool, chosen: dict[bytes, Entry]) -> list[Entry]:
    """It and its ancestors that are not chosen yet, parents first."""
    ancestors = pool.entries(pool.ancestors(entry.txid) - chosen.keys())
    ancestors.sort(key=lambda one: len(pool.ancestors(one.txid)))
    return [*ancestors, entry]


def _score(package: list[Entry]) -> int:
    """The feerate in satoshi per 1,000,000 vB, negative: a heap gives the smallest first."""
    fee_sat = sum(one.fee_sat for one in package)
    return -(fee_sat * 1_000_000 // sum(one.vsize for one in package))
