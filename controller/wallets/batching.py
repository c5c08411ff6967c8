"""Which payments go out together, and when. Pure.

One transaction for many payments costs one change output and fewer inputs, and ties them together:
so a batch holds payments of one organisation out of one wallet, is sent once the first of them may
wait no longer or it is full, and stays small enough to be replaced (BIP431 rule 4 for version 3).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from controller.wallets.feerates import output_weight
from shared.bitcoin.amounts import check_amount_sat
from shared.bitcoin.transaction import TxOut
from shared.errors import BadInputError


@dataclass(frozen=True, slots=True)
class Payment:
    """One output that is owed: `reference` is unique, `accepted_ms` when it came to us."""

    reference: str
    organisation: str
    wallet_id: int
    output: TxOut
    accepted_ms: int
    deadline_ms: int

    def __post_init__(self) -> None:
        check_amount_sat("amount_sat", self.output.amount_sat)
        if self.deadline_ms < self.accepted_ms:
            raise BadInputError("deadline_ms", str(self.deadline_ms), "not before accepted_ms")


@dataclass(frozen=True, slots=True)
class BatchRules:
    """`longest_wait_ms` from acceptance, `lead_ms` before a deadline that a batch must go out."""

    longest_wait_ms: int
    lead_ms: int
    most_payments: int = 100
    most_output_weight: int = 24_000  # of 40,000 in version 3; the rest is for inputs and change

    def __post_init__(self) -> None:
        if self.longest_wait_ms < 0 or self.lead_ms < 0:
            raise BadInputError("longest_wait_ms, lead_ms", "negative", "0 or more")
        if not 1 <= self.most_payments <= 1_000:
            raise BadInputError("most_payments", str(self.most_payments), "from 1 to 1000")
        if not 1_000 <= self.most_output_weight <= 300_000:
            raise BadInputError(
                "most_output_weight", str(self.most_output_weight), "from 1000 to 300000"
            )


@dataclass(frozen=True, slots=True)
class Batch:
    """Payments of one transaction, the most urgent first; it is due at `due_ms`."""

    payments: tuple[Payment, ...]
    due_ms: int
    is_full: bool

    def is_due(self, now_ms: int) -> bool:
        """Whether it goes out now."""
        return self.is_full or now_ms >= self.due_ms


def due_ms(payment: Payment, rules: BatchRules) -> int:
    """When the payment may wait no longer for others to join it."""
    return min(payment.accepted_ms + rules.longest_wait_ms, payment.deadline_ms - rules.lead_ms)


def batches(payments: Iterable[Payment], rules: BatchRules) -> list[Batch]:
    """All payments in batches, the most urgent batch first. Each payment is in exactly one.

    BadInputError for a reference that stands twice: it would be paid twice.
    """
    waiting = sorted(
        payments,
        key=lambda one: (one.organisation, one.wallet_id, due_ms(one, rules), one.reference),
    )
    _check_references(waiting)
    made: list[Batch] = []
    for _, group in groupby(waiting, key=lambda one: (one.organisation, one.wallet_id)):
        made += _filled(list(group), rules)
    return sorted(made, key=lambda batch: (batch.due_ms, batch.payments[0].reference))


def _check_references(payments: Sequence[Payment]) -> None:
    seen: set[tuple[str, str]] = set()
    for one in payments:
        if (one.organisation, one.reference) in seen:
            raise BadInputError("reference", f"{one.reference[:80]!r} twice", "each once")
        seen.add((one.organisation, one.reference))


def _filled(payments: Sequence[Payment], rules: BatchRules) -> list[Batch]:
    made: list[Batch] = []
    current: list[Payment] = []
    weight = 0
    for one in payments:
        added = output_weight(one.output.script_pubkey)
        is_full = len(current) >= rules.most_payments
        if current and (is_full or weight + added > rules.most_output_weight):
            made.append(Batch(tuple(current), due_ms(current[0], rules), is_full=True))
            current, weight = [], 0
        current.append(one)
        weight += added
    if current:
        is_full = len(current) >= rules.most_payments
        made.append(Batch(tuple(current), due_ms(current[0], rules), is_full))
    return made
