"""What a transaction moves in and out of wallets. Pure.

Change is no movement. What left a wallet and did not come back is the fee, where every input was
ours, and for the rest a payment. Where others paid inputs too, how much of the fee was ours is not
known: then the payment says that it includes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from controller.wallets.books.lots import Origin
from shared.errors import BadInputError


class Kind(StrEnum):
    """What an entry says of a wallet's balance; amounts are positive but in corrections."""

    IN = "in"
    OUT = "out"
    FEE = "fee"


@dataclass(frozen=True, slots=True)
class Received:
    """An output to a wallet."""

    wallet_id: int
    vout: int
    amount_sat: int


@dataclass(frozen=True, slots=True)
class Flows:
    """What of a transaction concerns wallets. `spent_sat` is by wallet, `organisations` of each."""

    txid: bytes
    is_coinbase: bool
    received: tuple[Received, ...]
    spent_sat: Mapping[int, int]
    organisations: Mapping[int, str]
    outputs_sat: int
    foreign_inputs: int


@dataclass(frozen=True, slots=True)
class Acquired:
    """An output, or the part of it, that is a new lot."""

    vout: int
    amount_sat: int


@dataclass(frozen=True, slots=True)
class Movement:
    """One entry to be: of an IN `acquired` are its lots, which sum up to it."""

    wallet_id: int
    kind: Kind
    amount_sat: int
    origin: Origin | None = None
    other_wallet_id: int | None = None
    fee_included: bool = False
    acquired: tuple[Acquired, ...] = ()


def movements(flows: Flows) -> list[Movement]:
    """The entries of a transaction: payments and fees of a wallet before what others receive."""
    fees = _fees(flows)
    leaving: list[Movement] = []
    coming: list[Movement] = []
    for wallet_id in sorted({*flows.spent_sat, *(one.wallet_id for one in flows.received)}):
        fee = fees.get(wallet_id, 0)
        left = flows.spent_sat.get(wallet_id, 0) - _came(flows, wallet_id) - fee
        if left > 0:
            unknown = flows.foreign_inputs > 0
            other = _receiver(flows, wallet_id)
            leaving.append(
                Movement(wallet_id, Kind.OUT, left, other_wallet_id=other, fee_included=unknown)
            )
        if fee > 0:
            leaving.append(Movement(wallet_id, Kind.FEE, fee))
        if left < 0:
            coming.append(_income(flows, wallet_id, -left))
    return leaving + coming


def _came(flows: Flows, wallet_id: int) -> int:
    return sum(one.amount_sat for one in flows.received if one.wallet_id == wallet_id)


def _fees(flows: Flows) -> dict[int, int]:
    """Who bears the fee, where every input is a wallet's: the one that spends most, and where more
    than that left none of them, the next. Nobody pays more than left it."""
    if flows.is_coinbase or flows.foreign_inputs or not flows.spent_sat:
        return {}
    left = sum(flows.spent_sat.values()) - flows.outputs_sat
    if left < 0:
        raise BadInputError("transaction", f"pays {-left} sat more than it spends", "a valid one")
    shares: dict[int, int] = {}
    for wallet_id in sorted(flows.spent_sat, key=lambda one: (-flows.spent_sat[one], one)):
        share = min(left, max(0, flows.spent_sat[wallet_id] - _came(flows, wallet_id)))
        shares[wallet_id] = share
        left -= share
    return shares


def _receiver(flows: Flows, source: int) -> int | None:
    """The other wallet of the organisation that receives most, where one does."""
    sums: dict[int, int] = {}
    for one in flows.received:
        is_same = flows.organisations[one.wallet_id] == flows.organisations[source]
        if one.wallet_id != source and is_same:
            sums[one.wallet_id] = sums.get(one.wallet_id, 0) + one.amount_sat
    return min(sums, key=lambda wallet: (-sums[wallet], wallet), default=None)


def _sender(flows: Flows, target: int) -> int | None:
    same = [
        wallet
        for wallet in flows.spent_sat
        if wallet != target and flows.organisations[wallet] == flows.organisations[target]
    ]
    return min(same, key=lambda wallet: (-flows.spent_sat[wallet], wallet), default=None)


def _income(flows: Flows, wallet_id: int, amount_sat: int) -> Movement:
    other = _sender(flows, wallet_id)
    origin = Origin.MINED if flows.is_coinbase else Origin.RECEIVED
    mine = [one for one in flows.received if one.wallet_id == wallet_id]
    return Movement(
        wallet_id,
        Kind.IN,
        amount_sat,
        origin=Origin.TRANSFERRED if other is not None else origin,
        other_wallet_id=other,
        acquired=_acquired(mine, amount_sat),
    )


def _acquired(mine: Sequence[Received], amount_sat: int) -> tuple[Acquired, ...]:
    """The outputs that make up the income; where the wallet paid too, the largest up to it."""
    made: list[Acquired] = []
    left = amount_sat
    for one in sorted(mine, key=lambda one: (-one.amount_sat, one.vout)):
        taken = min(left, one.amount_sat)
        if taken > 0:
            made.append(Acquired(one.vout, taken))
        left -= taken
    return tuple(sorted(made, key=lambda one: one.vout))


@dataclass(frozen=True, slots=True)
class Statement:
    """One wallet's figures up to a cut-off block."""

    opening_sat: int
    in_sat: int
    out_sat: int
    fee_sat: int

    @property
    def closing_sat(self) -> int:
        """What the books say is there."""
        return self.opening_sat + self.in_sat - self.out_sat - self.fee_sat


def statement(opening_sat: int, sums: Mapping[Kind, int]) -> Statement:
    """The figures of a period from the sums of its entries."""
    return Statement(
        opening_sat, sums.get(Kind.IN, 0), sums.get(Kind.OUT, 0), sums.get(Kind.FEE, 0)
    )
