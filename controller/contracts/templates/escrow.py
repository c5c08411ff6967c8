"""An escrow: buyer and seller agree, or the arbiter decides with one of them, or time runs out.

A taproot output, so that only the way that is taken shows on the chain.
"""

from dataclasses import dataclass

from controller.contracts.contract import MAX_HEIGHT, Layout, Part, Template
from controller.contracts.parties import OutputForm, Participant, Seats, check_distinct
from controller.contracts.paths import OnlyScripts, Outcome, Way
from controller.contracts.terms import Terms, bounded
from shared.bitcoin import address
from shared.bitcoin.amounts import MAX_MONEY_SAT
from shared.bitcoin.networks import Network
from shared.bitcoin.policy import After, And, Key

PART = "escrow"
MIN_FUNDED_SAT = 10_000
"""Less would be eaten by the fee of the spend."""

_TO_SELLER = "the amount goes to the seller's address, less the fee"
_TO_BUYER = "the amount goes to the buyer's address, less the fee"


@dataclass(frozen=True, slots=True)
class EscrowTerms(Terms):
    """Three parties, where buyer and seller are paid, the amount, and the height above which the
    buyer takes it back alone."""

    buyer: Participant
    seller: Participant
    arbiter: Participant
    buyer_address: str = bounded("characters", 14, 90)
    seller_address: str = bounded("characters", 14, 90)
    amount_sat: int = bounded("sat", MIN_FUNDED_SAT, MAX_MONEY_SAT)
    timeout_height: int = bounded("(a block height)", 1, MAX_HEIGHT)

    def check(self) -> None:
        """Three different parties."""
        check_distinct("arbiter", (self.buyer, self.seller, self.arbiter))


def lay_out(terms: EscrowTerms, network: Network) -> Layout:
    """One part with four ways; AddressError for another network's address."""
    form = OutputForm.TR.form
    seats = Seats(network, form)
    to_buyer, to_seller = (
        OnlyScripts(frozenset((address.decode(one, network),)))
        for one in (terms.buyer_address, terms.seller_address)
    )

    def both(first: Participant, second: Participant) -> And:
        return And((Key(seats.key(first)), Key(seats.key(second))))

    refund = And((Key(seats.key(terms.buyer)), After(terms.timeout_height)))
    ways = (
        Way(
            "release",
            "Buyer and seller agree on where the amount goes",
            both(terms.buyer, terms.seller),
            Outcome.SETTLES,
            weight=20,
            signer_rules=("both have seen and approved the outputs",),
        ),
        Way(
            "award-seller",
            "The arbiter awards the amount to the seller",
            both(terms.arbiter, terms.seller),
            Outcome.SETTLES,
            destination=to_seller,
            signer_rules=(_TO_SELLER,),
        ),
        Way(
            "award-buyer",
            "The arbiter awards the amount to the buyer",
            both(terms.arbiter, terms.buyer),
            Outcome.REFUNDS,
            destination=to_buyer,
            signer_rules=(_TO_BUYER,),
        ),
        Way(
            "timeout",
            "Nobody decided in time, and the buyer takes the amount back",
            refund,
            Outcome.REFUNDS,
            destination=to_buyer,
            signer_rules=(_TO_BUYER,),
        ),
    )
    return Layout((Part(PART, form, ways, terms.amount_sat),), seats)


TEMPLATE = Template("escrow", "escrow with arbiter and timeout", EscrowTerms, lay_out)
