"""A treasury whose coins are the more easily recovered the longer they lie still.

The signers pay at any time. A coin that lies still long enough can be moved by fewer, step by step,
and last by the emergency key alone. A refresh (a payment to itself) starts the waiting anew.
"""

from dataclasses import dataclass

from controller.contracts.contract import MAX_OLDER_BLOCKS, Layout, Part, Template
from controller.contracts.errors import TermsError
from controller.contracts.parties import MAX_SIGNERS, OutputForm, Participant, Quorum, Seats
from controller.contracts.paths import Outcome, Way
from controller.contracts.templates.treasury import APPROVED_ONLY, quorum_policy
from controller.contracts.terms import Terms, bounded
from shared.bitcoin.descriptors import Form
from shared.bitcoin.networks import Network
from shared.bitcoin.policy import And, Key, Older

PART = "treasury"


@dataclass(frozen=True, slots=True)
class Decay(Terms):
    """After `after_blocks` without a movement, `required` of `signers` can move a coin."""

    after_blocks: int = bounded("blocks", 1, MAX_OLDER_BLOCKS)
    required: int = bounded("signatures", 1, MAX_SIGNERS)
    signers: tuple[Participant, ...] = bounded("signers", 1, MAX_SIGNERS)

    def check(self) -> None:
        """No more signatures than signers, and all different."""
        Quorum(self.required, self.signers).check("recoveries.signers")


@dataclass(frozen=True, slots=True)
class DecayingTreasuryTerms(Terms):
    """`required` of `signers`, then the recoveries in their order, last the emergency key."""

    emergency: Participant
    required: int = bounded("signatures", 1, MAX_SIGNERS)
    signers: tuple[Participant, ...] = bounded("signers", 1, MAX_SIGNERS)
    recoveries: tuple[Decay, ...] = bounded("recoveries", 1, 3)
    emergency_after_blocks: int = bounded("blocks", 2, MAX_OLDER_BLOCKS)
    output: OutputForm = OutputForm.TR

    def check(self) -> None:
        """Each step opens later than the one before and never asks for more signatures."""
        Quorum(self.required, self.signers).check("signers")
        waits = [one.after_blocks for one in self.recoveries]
        if sorted({*waits, self.emergency_after_blocks}) != [*waits, self.emergency_after_blocks]:
            raise TermsError("recoveries", "a wait not above the one before", "growing waits")
        needed = [self.required, *(one.required for one in self.recoveries)]
        if sorted(needed, reverse=True) != needed:
            raise TermsError("recoveries", "more signatures than before", "as many or fewer")


def lay_out(terms: DecayingTreasuryTerms, network: Network) -> Layout:
    """One part: the signers' way, a way for every recovery, the emergency way."""
    form = terms.output.form
    seats = Seats(network, form)
    ways = [
        Way(
            "spend",
            "The treasury pays",
            quorum_policy(terms.required, seats.keys(terms.signers)),
            Outcome.CONTINUES,
            weight=100,
            signer_rules=(APPROVED_ONLY,),
        )
    ]
    for place, decay in enumerate(terms.recoveries, 1):
        name = "recovery" if len(terms.recoveries) == 1 else f"recovery-{place}"
        policy = quorum_policy(decay.required, seats.keys(decay.signers))
        ways.append(
            Way(
                name,
                "A coin that lay still is recovered",
                And((policy, Older(decay.after_blocks))),
                Outcome.CONTINUES,
                signer_rules=(APPROVED_ONLY,),
            )
        )
    emergency = Key(seats.key(terms.emergency))
    ways.append(
        Way(
            "emergency",
            "The emergency key saves what nobody else moved",
            And((emergency, Older(terms.emergency_after_blocks))),
            Outcome.CONTINUES,
            signer_rules=(APPROVED_ONLY,),
        )
    )
    is_single = len(terms.signers) == 1 and form is Form.TR
    part = Part(PART, form, tuple(ways), key_way="spend" if is_single else None)
    return Layout((part,), seats)


TEMPLATE = Template(
    "decaying-treasury",
    "treasury with decaying recovery and emergency key",
    DecayingTreasuryTerms,
    lay_out,
)
