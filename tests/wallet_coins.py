"""Coins made up for tests and benchmarks of wallets."""

from collections.abc import Sequence

from controller.wallets.coin_life import CoinState
from controller.wallets.selection import CoinPool, Costs, PendingParent, Spendable
from shared.bitcoin.script import p2tr, p2wpkh
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut

ORGANISATION = "own"
P2TR_INPUT, P2WPKH_INPUT, P2WSH_INPUT = 230, 273, 418
CHANGE_SCRIPT = p2tr(b"\x11" * 32)
PAYEE_SCRIPT = p2wpkh(b"\x02" + b"\x22" * 32)


def outpoint(number: int) -> OutPoint:
    """A made-up outpoint."""
    return OutPoint(number.to_bytes(32, "big"), 0)


def coin(
    number: int,
    amount_sat: int,
    input_weight: int = P2TR_INPUT,
    *,
    organisation: str = ORGANISATION,
    state: CoinState = CoinState.FINAL,
    parent: PendingParent | None = None,
) -> Spendable:
    """A coin; with a parent it is pending own change of it."""
    if parent is not None:
        place = OutPoint(parent.txid, number)
        return Spendable(
            place, amount_sat, input_weight, organisation, CoinState.PENDING, True, parent
        )
    return Spendable(outpoint(number), amount_sat, input_weight, organisation, state)


def pool(amounts: Sequence[int], input_weight: int = P2TR_INPUT) -> CoinPool:
    """Final coins of these amounts."""
    return CoinPool(
        ORGANISATION, [coin(number, one, input_weight) for number, one in enumerate(amounts, 1)]
    )


def costs(feerate: int = 10_000, long_term: int = 5_000) -> Costs:
    """Change goes to a taproot output."""
    return Costs(feerate, long_term, CHANGE_SCRIPT, P2TR_INPUT)


def pay(*amounts: int) -> tuple[TxOut, ...]:
    """Outputs to somebody else."""
    return tuple(TxOut(one, PAYEE_SCRIPT) for one in amounts)


def built(coins: Sequence[Spendable], outputs: Sequence[TxOut], signature: bytes) -> Transaction:
    """The transaction that these coins would make, each spent through a taproot key path."""
    return Transaction(
        2,
        tuple(TxIn(one.outpoint, witness=(signature,)) for one in coins),
        tuple(outputs),
    )
