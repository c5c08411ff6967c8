"""Whether a drafted transaction is the payment that was approved.

The same intent covers every replacement of the transaction (BIP 125): below its ceiling the fee is
free, so that a fee bump needs no new approval; nothing else is.
"""

from collections import Counter
from dataclasses import dataclass

from shared.approvals.intents import PaymentIntent, PaymentOutput


@dataclass(frozen=True, slots=True)
class Draft:
    """A transaction as whoever signs it read it himself: its outputs without the wallet's own
    change, which only he can tell, and what it leaves to the miners."""

    wallet: str
    contract_path: str
    outputs: tuple[PaymentOutput, ...]
    fee_sat: int


def deviation(intent: PaymentIntent, draft: Draft, now_ms: int) -> str | None:
    """How the draft is not what was approved; None when it is. The order of outputs is free."""
    if now_ms >= intent.deadline_ms:
        return "the intent's deadline has passed"
    if draft.wallet != intent.wallet:
        return f"it spends from {draft.wallet}, approved is {intent.wallet}"
    if draft.contract_path != intent.contract_path:
        return f"it spends by {draft.contract_path}, approved is {intent.contract_path}"
    if Counter(draft.outputs) != Counter(intent.outputs):
        return "its outputs are not those that were approved"
    if not 0 <= draft.fee_sat <= intent.fee_ceiling_sat:
        return f"its fee is {draft.fee_sat} sat, approved are at most {intent.fee_ceiling_sat} sat"
    return None
