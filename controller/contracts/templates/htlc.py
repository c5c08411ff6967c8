"""A hashed time-lock contract: the receiver takes the amount with a secret, or it goes back."""

from dataclasses import dataclass

from controller.contracts.contract import MAX_HEIGHT, Layout, Part, Template
from controller.contracts.parties import OutputForm, Participant, Seats, check_distinct
from controller.contracts.paths import Outcome, Way
from controller.contracts.templates.escrow import MIN_FUNDED_SAT
from controller.contracts.terms import Terms, bounded
from shared.bitcoin.amounts import MAX_MONEY_SAT
from shared.bitcoin.miniscript import Fragment
from shared.bitcoin.networks import Network
from shared.bitcoin.policy import After, And, Hash, Key

PART = "htlc"


@dataclass(frozen=True, slots=True)
class HtlcTerms(Terms):
    """Who pays whom, the SHA-256 of the secret, and the height above which the sender refunds.

    The claim stays open after the timeout: from then on whoever is first has it.
    """

    sender: Participant
    receiver: Participant
    secret_sha256: bytes = bounded("bytes", 32, 32)
    amount_sat: int = bounded("sat", MIN_FUNDED_SAT, MAX_MONEY_SAT)
    timeout_height: int = bounded("(a block height)", 1, MAX_HEIGHT)
    output: OutputForm = OutputForm.TR

    def check(self) -> None:
        """Two different parties."""
        check_distinct("receiver", (self.sender, self.receiver))


def lay_out(terms: HtlcTerms, network: Network) -> Layout:
    """One part with two ways."""
    form = terms.output.form
    seats = Seats(network, form)
    secret = Hash(Fragment.SHA256, terms.secret_sha256)
    ways = (
        Way(
            "claim",
            "The receiver takes the amount with the secret",
            And((Key(seats.key(terms.receiver)), secret)),
            Outcome.SETTLES,
            weight=9,
            signer_rules=("it is signed early enough to be final before the timeout",),
        ),
        Way(
            "refund",
            "The sender takes the amount back",
            And((Key(seats.key(terms.sender)), After(terms.timeout_height))),
            Outcome.REFUNDS,
        ),
    )
    return Layout((Part(PART, form, ways, terms.amount_sat),), seats)


TEMPLATE = Template("htlc", "hashed time-lock contract", HtlcTerms, lay_out)
