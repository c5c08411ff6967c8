"""Hosting revenue share: what a pool earned goes to host and customers by measured work.

The script knows nothing of work: that a split is right is for the signers to check, who compute it
anew from the measurements (`split`), to the satoshi.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.contracts.contract import MAX_OLDER_BLOCKS, Layout, Part, Template
from controller.contracts.errors import TermsError
from controller.contracts.parties import MAX_SIGNERS, OutputForm, Participant, Quorum, Seats
from controller.contracts.paths import OnlySplit, Outcome, Way
from controller.contracts.split import PPM, Split, split_by_work
from controller.contracts.templates.treasury import quorum_policy
from controller.contracts.terms import Terms, bounded, name_field
from shared.bitcoin import address
from shared.bitcoin.networks import Network
from shared.bitcoin.policy import And, Key, Older

PART = "pool"
MAX_CUSTOMERS = 150

_SPLIT_RULES = (
    "the outputs are the split by the period's measured work, largest remainders rounded up",
    "outputs and what is carried to the next period sum to the period's amount",
)


@dataclass(frozen=True, slots=True)
class Payee(Terms):
    """Who is paid where."""

    name: str = name_field()
    address: str = bounded("characters", 14, 90)


@dataclass(frozen=True, slots=True)
class RevenueShareTerms(Terms):
    """The operators' quorum; host and customers with their addresses; the host's fee in parts per
    million; the least that is paid out; and the trustee, who splits when nobody did so long."""

    host: Payee
    trustee: Participant
    required: int = bounded("signatures", 1, MAX_SIGNERS)
    operators: tuple[Participant, ...] = bounded("operators", 1, MAX_SIGNERS)
    customers: tuple[Payee, ...] = bounded("customers", 1, MAX_CUSTOMERS)
    host_fee_ppm: int = bounded("parts per million", 0, PPM)
    minimum_payout_sat: int = bounded("sat", 330, 100_000_000)
    idle_blocks: int = bounded("blocks", 144, MAX_OLDER_BLOCKS)
    output: OutputForm = OutputForm.TR

    def check(self) -> None:
        """Everyone once, the trustee none of the operators."""
        Quorum(self.required, self.operators).check("operators")
        names = [self.host.name, *(one.name for one in self.customers)]
        if len(set(names)) != len(names):
            raise TermsError("customers", "one name twice", "different names, none the host's")
        if self.trustee.key in {one.key for one in self.operators}:
            raise TermsError("trustee", "an operator", "somebody else")


def scripts(terms: RevenueShareTerms, network: Network) -> dict[str, bytes]:
    """Everyone's output script, the host first; AddressError for another network's address."""
    return {
        one.name: address.decode(one.address, network) for one in (terms.host, *terms.customers)
    }


def split(
    terms: RevenueShareTerms, network: Network, amount_sat: int, work: Mapping[str, int]
) -> Split:
    """A period's split; `work` by customer, in any one unit (hashes, terahash-seconds)."""
    return split_by_work(
        amount_sat,
        work,
        scripts(terms, network),
        (terms.host.name, terms.host_fee_ppm),
        terms.minimum_payout_sat,
    )


def lay_out(terms: RevenueShareTerms, network: Network) -> Layout:
    """One part with two ways, both of which pay a split."""
    scripts(terms, network)
    form = terms.output.form
    seats = Seats(network, form)
    operators = quorum_policy(terms.required, seats.keys(terms.operators))
    ways = (
        Way(
            "split",
            "The operators pay a period's split",
            operators,
            Outcome.CONTINUES,
            weight=20,
            destination=OnlySplit(),
            signer_rules=_SPLIT_RULES,
        ),
        Way(
            "wind-up",
            "The trustee pays a split that the operators left undone",
            And((Key(seats.key(terms.trustee)), Older(terms.idle_blocks))),
            Outcome.CONTINUES,
            destination=OnlySplit(),
            signer_rules=_SPLIT_RULES,
        ),
    )
    is_single = len(terms.operators) == 1 and terms.output is OutputForm.TR
    return Layout((Part(PART, form, ways, key_way="split" if is_single else None),), seats)


TEMPLATE = Template("revenue-share", "hosting revenue share", RevenueShareTerms, lay_out)
