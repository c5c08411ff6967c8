"""What a block means for the scripts that are watched. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from controller.chain.values import BlockAt
from shared.bitcoin.transaction import OutPoint, Transaction


class FactKind(Enum):
    """What happened to an output of a watched script."""

    RECEIVED = "received"
    SPENT = "spent"


@dataclass(frozen=True, slots=True)
class Fact:
    """An output of a watched script was made or spent by `txid` in a block.

    `position` is the index of the output that makes it, or of the input that spends it.
    """

    kind: FactKind
    txid: bytes
    position: int
    outpoint: OutPoint
    script_pubkey: bytes
    amount_sat: int
    is_coinbase: bool
    height: int
    block_hash: bytes


@dataclass(frozen=True, slots=True)
class Owned:
    """An output of a watched script, as an earlier fact told of it."""

    script_pubkey: bytes
    amount_sat: int
    is_coinbase: bool


def facts_of(
    block: BlockAt,
    is_watched: Callable[[bytes], bool],
    owned: Callable[[OutPoint], Owned | None],
) -> tuple[Fact, ...]:
    """The block's facts in its order; `owned` knows the outputs of earlier blocks."""
    made: dict[OutPoint, Owned] = {}
    facts: list[Fact] = []
    ref = block.ref
    for transaction in block.transactions:
        if not transaction.is_coinbase:
            for position, one in enumerate(transaction.inputs):
                known = made.get(one.outpoint) or owned(one.outpoint)
                if known is not None:
                    facts.append(
                        Fact(
                            FactKind.SPENT,
                            transaction.txid,
                            position,
                            one.outpoint,
                            known.script_pubkey,
                            known.amount_sat,
                            known.is_coinbase,
                            ref.height,
                            ref.block_hash,
                        )
                    )
        for fact in _received(transaction, block, is_watched):
            made[fact.outpoint] = Owned(fact.script_pubkey, fact.amount_sat, fact.is_coinbase)
            facts.append(fact)
    return tuple(facts)


def _received(
    transaction: Transaction, block: BlockAt, is_watched: Callable[[bytes], bool]
) -> list[Fact]:
    ref = block.ref
    return [
        Fact(
            FactKind.RECEIVED,
            transaction.txid,
            vout,
            OutPoint(transaction.txid, vout),
            output.script_pubkey,
            output.amount_sat,
            transaction.is_coinbase,
            ref.height,
            ref.block_hash,
        )
        for vout, output in enumerate(transaction.outputs)
        if is_watched(output.script_pubkey)
    ]
