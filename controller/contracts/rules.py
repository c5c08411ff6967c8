"""What may be signed after what was signed before. Pure; every signer applies it for itself.

The accident that is prevented: an intent is paid twice, because a first transaction for it, given
up, replaced or undone by a reorganisation, is mined after all beside the second one.

    coin a --- S pays I, change s          S was signed, then stuck.
    coin b --- T pays I                    T conflicts with nothing: both can be mined. Refused.
    coin a, b - T' pays I                  T' spends S's coin: at most one of them. Allowed.
    s' (change of R, which spends a) - T"  R is T"'s ancestor and excludes S. Allowed.

So a payment must exclude, itself or through an ancestor shown, every earlier transaction signed for
any of its intents, cancels too. A child pays nobody; that it descends from its payment alone is
enough, and that only one child of it can be mined keeps both under the ceiling.

What this does not prevent: two intents for one debt (external references are unique for that), and
a chain that undoes finality-deep blocks. A coin that is not finality-deep is not spent unless it is
own change, so that what a conflict rests on cannot itself vanish.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from controller.contracts.errors import SigningRefusedError
from controller.contracts.history import History, Signed
from controller.contracts.intents import Cancel, Child, Kind, Payment, ProofOfFunds, Sweep
from shared.bitcoin import bip322
from shared.bitcoin.transaction import Transaction, TxOut

OwnOutput = Callable[[TxOut], bool]
"""Whether an output is the wallet's own change, judged by its descriptor."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A transaction to be signed: the outputs that it spends in the order of its inputs, and which
    outputs are own change, judged by the descriptor and not by who asks."""

    transaction: Transaction
    prevouts: Sequence[TxOut]
    is_own: OwnOutput

    @property
    def fee_sat(self) -> int:
        """What it leaves to the miners; negative where it pays more than it has."""
        paid = sum(one.amount_sat for one in self.transaction.outputs)
        return sum(one.amount_sat for one in self.prevouts) - paid

    def own(self) -> frozenset[int]:
        """The places of own outputs."""
        outputs = enumerate(self.transaction.outputs)
        return frozenset(place for place, one in outputs if self.is_own(one))


def judge_payment(
    proposal: Proposal,
    payments: Sequence[Payment],
    scripts: Mapping[bytes, Sequence[TxOut]],
    history: History,
    now_ms: int,
) -> Signed:
    """The payment as it enters the history, or SigningRefusedError.

    It may carry out several payments at once; `scripts` has each intent's outputs as the network's
    scripts. What is beyond their outputs has to be own change.
    """
    if not payments or len({one.id for one in payments}) != len(payments):
        raise _refused("intents", f"{len(payments)}", "one or more, each once")
    if len({(one.approved.wallet, one.approved.contract_path) for one in payments}) != 1:
        raise _refused("intents", "of two wallets or paths", "one wallet and one path")
    for one in payments:
        if now_ms >= one.deadline_ms:
            raise _refused("deadline", f"of {one.id.hex()} has passed", "before the deadline")
    due = Counter(output for one in payments for output in scripts[one.id])
    own = _own_beyond(proposal, due)
    _check_fee(proposal.fee_sat, sum(one.fee_ceiling_sat for one in payments))
    intents = frozenset(one.id for one in payments)
    made = Signed(Kind.PAYMENT, intents, proposal.transaction, own, proposal.fee_sat)
    _check_open(intents, history)
    _check_coins(made, history)
    _check_excludes(made, history)
    return made


def judge_sweep(proposal: Proposal, sweep: Sweep, history: History, now_ms: int) -> Signed:
    """A sweep as it enters the history, or SigningRefusedError: exactly its coins, one output."""
    if now_ms >= sweep.deadline_ms:
        raise _refused("deadline", "has passed", "before the deadline")
    made = Signed(
        Kind.SWEEP, frozenset((sweep.id,)), proposal.transaction, proposal.own(), proposal.fee_sat
    )
    outputs = proposal.transaction.outputs
    if [one.script_pubkey for one in outputs] != [sweep.script_pubkey]:
        raise _refused("outputs", f"{len(outputs)} outputs", "one to the approved script")
    if made.spends != frozenset(sweep.coins):
        raise _refused("coins", "others than were approved", "exactly the approved coins")
    _check_fee(proposal.fee_sat, sweep.fee_ceiling_sat)
    _check_open(made.intents, history)
    _check_coins(made, history)
    _check_excludes(made, history)
    return made


def judge_cancel(proposal: Proposal, cancel: Cancel, history: History, now_ms: int) -> Signed:
    """A cancel as it enters the history, or SigningRefusedError.

    Everything it pays is own change; it spends an input of every payment signed for its target, or
    descends from a transaction that does.
    """
    if now_ms >= cancel.deadline_ms:
        raise _refused("deadline", "has passed", "before the deadline")
    made = Signed(
        Kind.CANCEL,
        frozenset((cancel.target,)),
        proposal.transaction,
        _all_own(proposal),
        proposal.fee_sat,
    )
    _check_fee(proposal.fee_sat, cancel.fee_ceiling_sat)
    _check_open(made.intents, history)
    _check_coins(made, history)
    payments = [one for one in history.of(cancel.target) if one.kind in _PAYING]
    if not payments:
        raise _refused("target", "nothing was signed for it", "a signed payment")
    for one in payments:
        if not history.exclude(made, one):
            raise _refused(
                "cancel",
                f"{one.transaction.hex} can be mined beside it",
                "an input of every payment signed for its target",
            )
    return made


def judge_child(
    proposal: Proposal, child: Child, payments: Sequence[Payment], history: History
) -> Signed:
    """A child as it enters the history, or SigningRefusedError. `payments` are all its parent's.

    It spends nothing but own change of its parent, to own change, and shares an input with every
    earlier child of it, so that one at most is mined; parent and child stay under the ceiling.
    """
    parent = history.by_txid.get(child.parent)
    if parent is None or parent.kind is not Kind.PAYMENT or child.target not in parent.intents:
        raise _refused("parent", child.parent.hex(), "a signed payment of the target")
    if parent.intents != {one.id for one in payments}:
        raise _refused("intents", "not the parent's", "all that the parent carries out")
    made = Signed(
        Kind.CHILD,
        parent.intents,
        proposal.transaction,
        _all_own(proposal),
        proposal.fee_sat,
    )
    if not made.spends <= parent.change:
        raise _refused("coins", "other than its parent's own change", "the parent's own change")
    _check_open(parent.intents, history)
    if history.is_dead(parent):
        raise _refused("parent", "excluded by a final transaction", "one that can be mined")
    ceiling_sat = sum(one.fee_ceiling_sat for one in payments)
    _check_fee(parent.fee_sat + proposal.fee_sat, ceiling_sat)
    for one in history.of(child.target):
        is_sibling = one.kind is Kind.CHILD and bool(one.spends & parent.change)
        if is_sibling and not one.spends & made.spends:
            raise _refused("child", f"shares no input with {one.transaction.hex}", "an input of")
    return made


def judge_proof(proposal: Proposal, proof: ProofOfFunds) -> None:
    """SigningRefusedError unless the transaction is BIP322's for the message and these coins.

    Its first input spends an output that commits to the message and that no chain has, so that it
    enters no history: it cannot be mined.
    """
    transaction = proposal.transaction
    challenge = proposal.prevouts[0]
    funding = bip322.to_spend(proof.message.encode(), challenge.script_pubkey)
    first, *others = (one.outpoint for one in transaction.inputs)
    if first != funding.outpoint(0) or challenge != funding.outputs[0]:
        raise _refused("message", "not committed to", "the approved message's first input")
    if transaction.outputs != bip322.to_sign(b"", challenge.script_pubkey).outputs:
        raise _refused("outputs", "not a proof's", "one output that pays nobody")
    if not proposal.is_own(challenge) or not all(map(proposal.is_own, proposal.prevouts)):
        raise _refused("coins", "one is not our own", "own coins only")
    if len(others) != len(proof.coins) or set(others) != set(proof.coins):
        raise _refused("coins", "others than were approved", "exactly the approved coins")


_PAYING = frozenset({Kind.PAYMENT, Kind.SWEEP})


def _own_beyond(proposal: Proposal, due: Counter[TxOut]) -> frozenset[int]:
    """The places of the outputs beyond what is due, all of them own change."""
    left, own = due.copy(), set()
    for place, output in enumerate(proposal.transaction.outputs):
        if left[output] > 0:
            left[output] -= 1
        elif proposal.is_own(output):
            own.add(place)
        else:
            raise _refused("outputs", f"output {place} was not approved", "approved, or own change")
    if left.total():
        raise _refused("outputs", f"{left.total()} are missing", "every approved output")
    return frozenset(own)


def _all_own(proposal: Proposal) -> frozenset[int]:
    own = proposal.own()
    if not own or len(own) != len(proposal.transaction.outputs):
        raise _refused("outputs", "none, or one that is not ours", "own change only")
    return own


def _check_fee(fee_sat: int, ceiling_sat: int) -> None:
    if not 0 <= fee_sat <= ceiling_sat:
        raise _refused("fee", f"{fee_sat} sat", f"from 0 to {ceiling_sat} sat")


def _check_open(intents: frozenset[bytes], history: History) -> None:
    """An intent whose payment or cancel is final has ended."""
    for intent in intents:
        for one in history.of(intent):
            if one.txid in history.final and one.kind is not Kind.CHILD:
                raise _refused("intent", f"ended by {one.transaction.hex}", "one that is open")


def _check_coins(made: Signed, history: History) -> None:
    """Final coins, or own change that descends from final coins through what was signed."""
    for spent in made.spends:
        if spent in history.final_coins:
            continue
        parent = history.by_txid.get(spent.txid)
        if parent is None or spent not in parent.change:
            raise _refused("coins", f"{spent.hex} is not final", "final coins or own change")
        if history.is_dead(parent):
            raise _refused("coins", f"{spent.hex} will never exist", "coins that can exist")
    if history.exclude(made, made):
        raise _refused(
            "coins", "their ancestors exclude each other", "coins that can exist together"
        )


def _check_excludes(made: Signed, history: History) -> None:
    for intent in made.intents:
        for earlier in history.of(intent):
            if earlier.txid != made.txid and not history.exclude(made, earlier):
                raise _refused(
                    "conflict",
                    f"{earlier.transaction.hex} was signed for the same and can be mined beside it",
                    "a transaction that excludes every earlier one of its intents",
                )


def _refused(rule: str, problem: str, allowed: str) -> SigningRefusedError:
    return SigningRefusedError(rule, problem, allowed)
