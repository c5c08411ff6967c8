"""The numbers of the named release, and what a refusal is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from controller.chain.blocks import Coin
from shared.bitcoin.transaction import OutPoint, Transaction, TxOut

TRUC_VERSION = 3


@dataclass(frozen=True, slots=True)
class Policy:
    """Bitcoin Core's mempool settings; the defaults are 29.0's. Feerates in satoshi per 1,000 vB.

    Names follow `src/policy/policy.h`, `truc_policy.h` and `rbf.h` of that release.
    """

    release: str = "Bitcoin Core 29.0"
    version: int = 290_000
    min_relay_sat_per_kvb: int = 1_000
    incremental_relay_sat_per_kvb: int = 1_000
    dust_relay_sat_per_kvb: int = 3_000
    max_version: int = 3
    max_weight: int = 400_000
    min_base_bytes: int = 65
    max_script_sig_bytes: int = 1_650
    max_data_carrier_bytes: int = 83
    max_dust_outputs: int = 1
    max_sigops_cost: int = 16_000
    max_p2sh_sigops: int = 15
    bytes_per_sigop: int = 20
    max_witness_script_bytes: int = 3_600
    max_witness_items: int = 100
    max_witness_item_bytes: int = 80
    max_ancestors: int = 25
    max_ancestor_vsize: int = 101_000
    max_descendants: int = 25
    max_descendant_vsize: int = 101_000
    extra_descendant_vsize: int = 10_000
    max_replaced: int = 100
    truc_max_vsize: int = 10_000
    truc_child_max_vsize: int = 1_000
    max_pool_weight: int = 40_000_000
    """The embedded chain's own bound: ten blocks. Core's is in bytes of memory."""


CORE_29_0 = Policy()


class ChainView(Protocol):
    """The best chain as the rules see it; it does not change while they look."""

    @property
    def tip_height(self) -> int:
        """The best block's height."""
        ...

    def coin(self, outpoint: OutPoint) -> Coin | None:
        """The unspent output of the best chain, None if there is none."""
        ...

    def median_time_s(self, height: int) -> int:
        """The median time past (BIP113) of the block at that height, 0 to the tip's."""
        ...


Verify: TypeAlias = Callable[[Transaction, Sequence[TxOut]], None]
"""As `controller.chain.engine.verify`."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a decision rests on beside the mempool: the chain, the policy, the engine, the time."""

    chain: ChainView
    policy: Policy
    verify: Verify
    now_s: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Core's reject reason, and what it was about.

    `is_fee` marks what a package may cure (Core's TX_RECONSIDERABLE): a feerate too low by itself.
    """

    txid: bytes
    wtxid: bytes
    reason: str
    detail: str = ""
    is_fee: bool = False
    vsize: int | None = None
    fee_sat: int | None = None


class RefusedError(Exception):
    """Carries a rule's reject reason out of the rules to `acceptance`, which returns it."""

    def __init__(self, reason: str, detail: str = "", *, is_fee: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        self.is_fee = is_fee


def feerate_sat_per_kvb(fee_sat: int, vsize: int) -> int:
    """Rounded down, as `CFeeRate` keeps it in 29.0."""
    return fee_sat * 1_000 // vsize


def fee_sat_at(feerate: int, vsize: int) -> int:
    """The fee at a feerate in satoshi per 1,000 vB, rounded up (`CFeeRate::GetFee`)."""
    return -(-feerate * vsize // 1_000)
