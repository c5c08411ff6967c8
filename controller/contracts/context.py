"""What an execution rests on, all of it passed in, so that the same execution replays exactly."""

from dataclasses import dataclass

from controller.chain.blocks import COINBASE_MATURITY
from controller.contracts.contract import RECEIVE
from controller.contracts.errors import DraftError
from controller.contracts.intents import ID_BYTES
from controller.contracts.paths import ContractPath
from controller.wallets.feerates import DUST_RELAY_SAT_PER_KVB, check_feerate, fee_sat
from shared.bitcoin.amounts import check_amount_sat
from shared.bitcoin.transaction import OutPoint, TxOut


@dataclass(frozen=True, slots=True)
class Tip:
    """The best block: its height, and the median time past of it (BIP113) in seconds.

    No path is locked by time, so the time decides nothing; it is part of what is replayed.
    """

    height: int
    median_time_s: int


@dataclass(frozen=True, slots=True)
class UnconfirmedParent:
    """Our unconfirmed transaction that a coin is change of, with its version."""

    txid: bytes
    version: int


@dataclass(frozen=True, slots=True)
class Coin:
    """An output that pays to a part of the contract at an index.

    `height` is its block's, None where it is unconfirmed; then `parent` says whose change it is.
    `is_own_change` is for outputs of transactions of our own: an address for change that a stranger
    paid to makes none.
    """

    outpoint: OutPoint
    amount_sat: int
    part: str
    index: int
    branch: int = RECEIVE
    height: int | None = None
    is_final: bool = False
    is_own_change: bool = False
    is_coinbase: bool = False
    parent: UnconfirmedParent | None = None

    def __post_init__(self) -> None:
        if (self.height is None) != (self.parent is not None):
            raise DraftError("coins", self.outpoint.hex, "a height, or a parent of our own")
        if self.parent is not None and not self.is_own_change:
            raise DraftError("coins", f"{self.outpoint.hex} is unconfirmed", "own change")

    @property
    def is_spendable(self) -> bool:
        """Whether a payment may spend it: finality-deep, or own change."""
        return self.is_final or self.is_own_change

    def spendable_from(self, path: ContractPath, next_height: int) -> int:
        """The first block that may have its spend by that path, a coinbase's maturity included."""
        made = next_height if self.height is None else self.height
        earliest = path.earliest_height(made)
        return max(earliest, made + COINBASE_MATURITY) if self.is_coinbase else earliest


@dataclass(frozen=True, slots=True)
class FeeMarket:
    """Feerates in sat/kvB: what to pay, and what the node relays. `relays_truc`: BIP431."""

    sat_per_kvb: int
    min_relay_sat_per_kvb: int = 1_000
    incremental_sat_per_kvb: int = 1_000
    dust_relay_sat_per_kvb: int = DUST_RELAY_SAT_PER_KVB
    relays_truc: bool = True

    def __post_init__(self) -> None:
        check_feerate("sat_per_kvb", self.sat_per_kvb)

    @property
    def used_sat_per_kvb(self) -> int:
        """What is paid: never below what is relayed."""
        return max(self.sat_per_kvb, self.min_relay_sat_per_kvb)


@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """The world as an execution sees it.

    `available` are the participants whose keys can sign now, `approvals` the ids of the intents
    that enough people approved; `next_change` is the index of the next change output.
    """

    tip: Tip
    coins: tuple[Coin, ...]
    market: FeeMarket
    available: frozenset[str]
    approvals: frozenset[bytes]
    next_change: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class Move:
    """An amount to the contract's own part of that name, at an index."""

    part: str
    index: int
    amount_sat: int


@dataclass(frozen=True, slots=True)
class Request:
    """What to draft. Exactly one of the three says where the coins go:

    `outputs` and `moves` are paid exactly, and the rest is change; with `sweep_to` all that the
    coins hold, less the fee, goes to that script, and with `sweep_to_change` to own change.
    `spend` names coins that have to be spent: a payment adds others where they do not suffice, a
    sweep spends these and no others (without it, all there are). `intent` is the id of the approved
    intent, `batched` are those that it carries out besides; order and lock time are drawn from it.

    The fee is the market's; for a replacement at least `replaced_fee_sat` and the increment that
    relays (BIP125 rules 3 and 4), for a child what lifts its parent, of `parent_weight` and
    `parent_fee_sat`, to the market's feerate.
    """

    fee_ceiling_sat: int
    deadline_ms: int
    intent: bytes
    outputs: tuple[TxOut, ...] = ()
    moves: tuple[Move, ...] = ()
    sweep_to: bytes | None = None
    sweep_to_change: bool = False
    spend: tuple[OutPoint, ...] = ()
    batched: tuple[bytes, ...] = ()
    replaced_fee_sat: int = 0
    parent_weight: int = 0
    parent_fee_sat: int = 0

    def __post_init__(self) -> None:
        check_amount_sat("fee_ceiling_sat", self.fee_ceiling_sat)
        check_amount_sat("replaced_fee_sat", self.replaced_fee_sat)
        kinds = [bool(self.outputs or self.moves), self.sweep_to is not None, self.sweep_to_change]
        if sum(kinds) != 1:
            raise DraftError("request", f"{sum(kinds)} destinations", "outputs, or one sweep")
        for one in (self.intent, *self.batched):
            if len(one) != ID_BYTES:
                raise DraftError("intent", f"{len(one)} bytes", f"{ID_BYTES} bytes")

    def fee_sat(self, market: FeeMarket, weight: int) -> int:
        """What a transaction of that weight pays."""
        fee = fee_sat(market.used_sat_per_kvb, weight)
        if self.parent_weight:
            both = fee_sat(market.used_sat_per_kvb, weight + self.parent_weight)
            fee = max(fee, both - self.parent_fee_sat)
        if self.replaced_fee_sat:
            increment = fee_sat(market.incremental_sat_per_kvb, weight)
            fee = max(fee, self.replaced_fee_sat + increment)
        return fee
