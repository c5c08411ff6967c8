"""From intents to requests: what to draft for a payment, its replacement, its child, its cancel.

Whatever is drafted after something else was signed for the same intent names the coins that make
the two exclude each other; `rules` then judges the draft, here and again by every signer.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from controller.contracts.context import Request
from controller.contracts.draft import Draft
from controller.contracts.errors import DraftError
from controller.contracts.history import History, Signed
from controller.contracts.intents import Cancel, Kind, Payment, Sweep
from controller.contracts.rules import Proposal
from shared.bitcoin import address
from shared.bitcoin.networks import Network
from shared.bitcoin.transaction import OutPoint, TxOut


def outputs_of(payment: Payment, network: Network) -> tuple[TxOut, ...]:
    """The payment's outputs; WrongNetworkError or AddressError where an address is none of ours."""
    outputs = []
    for one in payment.approved.outputs:
        script_pubkey = one.script if one.address is None else address.decode(one.address, network)
        if script_pubkey is not None:  # an output has one of the two: see PaymentOutput
            outputs.append(TxOut(one.amount_sat, script_pubkey))
    return tuple(outputs)


def scripts_of(payments: Sequence[Payment], network: Network) -> Mapping[bytes, tuple[TxOut, ...]]:
    """Every payment's outputs by its id, as the signing rules ask for them."""
    return {one.id: outputs_of(one, network) for one in payments}


def payment_request(
    payments: Sequence[Payment], network: Network, history: History | None = None
) -> Request:
    """One transaction for all the payments, excluding what was signed for any of them."""
    if not payments:
        raise DraftError("intents", "none", "one payment or more")
    first, *others = payments
    known = history or History()
    earlier = [
        signed for one in payments for signed in known.of(one.id) if signed.kind is not Kind.CHILD
    ]
    return Request(
        sum(one.fee_ceiling_sat for one in payments),
        min(one.deadline_ms for one in payments),
        first.id,
        tuple(output for one in payments for output in outputs_of(one, network)),
        spend=excluding(earlier, known),
        batched=tuple(one.id for one in others),
        replaced_fee_sat=_fees([one.id for one in payments], known),
    )


def cancel_request(cancel: Cancel, history: History) -> Request:
    """To own change, with an input of every payment that was signed for the target."""
    earlier = [one for one in history.of(cancel.target) if one.kind is not Kind.CHILD]
    if not earlier:
        raise DraftError("target", "nothing was signed for it", "an intent that was signed for")
    return Request(
        cancel.fee_ceiling_sat,
        cancel.deadline_ms,
        cancel.id,
        sweep_to_change=True,
        spend=excluding(earlier, history),
        replaced_fee_sat=_fees([cancel.target], history),
    )


def child_request(parent: Signed, payments: Sequence[Payment]) -> Request:
    """The parent's own change to own change, so that both together pay the market's feerate."""
    change = sorted(parent.change)
    ceiling = sum(one.fee_ceiling_sat for one in payments) - parent.fee_sat
    if not change or ceiling <= 0 or not payments:
        raise DraftError("parent", "no change, or no fee left", "change, below its ceiling")
    first, *others = payments
    return Request(
        ceiling,
        max(one.deadline_ms for one in payments),
        first.id,
        sweep_to_change=True,
        spend=tuple(change),
        batched=tuple(one.id for one in others),
        parent_weight=parent.transaction.weight,
        parent_fee_sat=parent.fee_sat,
    )


def sweep_request(sweep: Sweep) -> Request:
    """Exactly the approved coins to the approved script."""
    return Request(
        sweep.fee_ceiling_sat,
        sweep.deadline_ms,
        sweep.id,
        sweep_to=sweep.script_pubkey,
        spend=sweep.coins,
    )


def proposal_of(draft: Draft) -> Proposal:
    """A draft as the signing rules judge it; own outputs are recognised by the draft's scripts.

    A signer on its own host asks its own descriptor instead.
    """
    own = {draft.transaction.outputs[place].script_pubkey for place in draft.own_outputs}
    return Proposal(draft.transaction, draft.prevouts, lambda output: output.script_pubkey in own)


def excluding(earlier: Sequence[Signed], history: History) -> tuple[OutPoint, ...]:
    """Coins whose spend excludes every one of these.

    Of what can still be mined an input is spent. What a finality-deep transaction has excluded has
    none left; there the coin is own change that descends from that transaction. DraftError where
    none is left.
    """
    alive = [one for one in earlier if not history.is_dead(one)]
    chosen = list(covering(alive))
    for one in earlier:
        if one in alive:
            continue
        anchors = [
            point
            for made in history.signed
            if not history.is_dead(made) and history.exclude(made, one)
            for point in sorted(made.change)
            if not history.is_spent(point)
        ]
        if not anchors:
            raise DraftError("spend", f"nothing excludes {one.transaction.hex}", "change that does")
        if not set(anchors) & set(chosen):
            chosen.append(anchors[0])
    return tuple(chosen)


def covering(earlier: Sequence[Signed]) -> tuple[OutPoint, ...]:
    """Few coins with an input of every one of these: always the coin that most of them spend."""
    left = list(earlier)
    chosen: list[OutPoint] = []
    while left:
        counts = Counter(point for one in left for point in one.spends)
        best = min(counts, key=lambda point: (-counts[point], point))
        chosen.append(best)
        left = [one for one in left if best not in one.spends]
    return tuple(chosen)


def _fees(intents: Sequence[bytes], history: History) -> int:
    """What a pool gives up at most: of each intent one transaction, with one child of it."""
    most: dict[bytes, int] = {}
    for intent in intents:
        alive = [
            (one.fee_sat + _child_fee(one, history), one.txid)
            for one in history.of(intent)
            if one.kind is not Kind.CHILD and not history.is_dead(one)
        ]
        if alive:
            fee, txid = max(alive)
            most[txid] = fee
    return sum(most.values())


def _child_fee(one: Signed, history: History) -> int:
    return max((child.fee_sat for child in history.signed if child.spends & one.change), default=0)
