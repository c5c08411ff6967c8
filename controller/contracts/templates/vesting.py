"""Time-locked vesting: tranches that the beneficiary can claim from a height each on.

Consensus keeps the beneficiary from claiming early, and the company from taking anything back
before the reclaim height; until then only both together can change a tranche.
"""

from dataclasses import dataclass

from controller.contracts.contract import MAX_HEIGHT, Layout, Part, Template
from controller.contracts.errors import TermsError
from controller.contracts.parties import MAX_SIGNERS, OutputForm, Participant, Quorum, Seats
from controller.contracts.paths import Outcome, Way
from controller.contracts.templates.escrow import MIN_FUNDED_SAT
from controller.contracts.templates.treasury import quorum_policy
from controller.contracts.terms import Terms, bounded
from shared.bitcoin.amounts import MAX_MONEY_SAT
from shared.bitcoin.networks import Network
from shared.bitcoin.policy import After, And, Key

MAX_TRANCHES = 48


@dataclass(frozen=True, slots=True)
class Tranche(Terms):
    """An amount, and the height that has to pass before it can be claimed."""

    height: int = bounded("(a block height)", 1, MAX_HEIGHT - 1)
    amount_sat: int = bounded("sat", MIN_FUNDED_SAT, MAX_MONEY_SAT)


@dataclass(frozen=True, slots=True)
class VestingTerms(Terms):
    """The beneficiary, the company's quorum, the tranches in growing heights, and the height above
    which the company takes back what was never claimed."""

    beneficiary: Participant
    company_required: int = bounded("signatures", 1, MAX_SIGNERS)
    company: tuple[Participant, ...] = bounded("signers", 1, MAX_SIGNERS)
    tranches: tuple[Tranche, ...] = bounded("tranches", 1, MAX_TRANCHES)
    reclaim_height: int = bounded("(a block height)", 2, MAX_HEIGHT)
    output: OutputForm = OutputForm.TR

    def check(self) -> None:
        """Growing heights, the last below the reclaim height; all parties different."""
        Quorum(self.company_required, self.company).check("company")
        heights = [*(one.height for one in self.tranches), self.reclaim_height]
        if sorted(set(heights)) != heights:
            raise TermsError("tranches", "heights that do not grow", "growing, then the reclaim")
        if self.beneficiary.name in {one.name for one in self.company}:
            raise TermsError("beneficiary", "a signer of the company", "somebody else")


def lay_out(terms: VestingTerms, network: Network) -> Layout:
    """A part for each tranche."""
    form = terms.output.form
    seats = Seats(network, form)
    parts = tuple(
        Part(f"tranche-{place}", form, _ways(place, one, terms, seats), one.amount_sat)
        for place, one in enumerate(terms.tranches, 1)
    )
    return Layout(parts, seats)


def _ways(place: int, tranche: Tranche, terms: VestingTerms, seats: Seats) -> tuple[Way, ...]:
    def company() -> list[str]:
        return seats.keys(terms.company)

    claim = And((Key(seats.key(terms.beneficiary)), After(tranche.height)))
    together = And(
        (
            Key(seats.key(terms.beneficiary)),
            quorum_policy(terms.company_required, company()),
        )
    )
    reclaim = And((quorum_policy(terms.company_required, company()), After(terms.reclaim_height)))
    return (
        Way(f"claim-{place}", "The beneficiary claims a vested tranche", claim, Outcome.SETTLES, 8),
        Way(
            f"amend-{place}",
            "Beneficiary and company change the tranche together",
            together,
            Outcome.SETTLES,
            signer_rules=("both have seen and approved the outputs",),
        ),
        Way(
            f"reclaim-{place}",
            "The company takes back a tranche that nobody claimed",
            reclaim,
            Outcome.REFUNDS,
            signer_rules=("the beneficiary was asked before",),
        ),
    )


TEMPLATE = Template("vesting", "time-locked vesting", VestingTerms, lay_out)
