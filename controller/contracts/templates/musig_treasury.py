"""A treasury that all its signers spend together as one key (MuSig2), with a script to fall back
on when one of them is missing."""

from dataclasses import dataclass

from controller.contracts.contract import MAX_OLDER_BLOCKS, Layout, Part, Template
from controller.contracts.parties import MAX_SIGNERS, OutputForm, Participant, Quorum, Seats
from controller.contracts.paths import Outcome, Way
from controller.contracts.templates.treasury import APPROVED_ONLY, quorum_policy
from controller.contracts.terms import Terms, bounded
from shared.bitcoin.networks import Network
from shared.bitcoin.policy import And, Key, Older, Policy

PART = "treasury"


@dataclass(frozen=True, slots=True)
class MusigTreasuryTerms(Terms):
    """All `signers` by the key path; `fallback_required` of them by script once a coin is
    `fallback_after_blocks` old, 0 for at once. Signers bring extended keys (BIP328)."""

    signers: tuple[Participant, ...] = bounded("signers", 2, MAX_SIGNERS)
    fallback_required: int = bounded("signatures", 1, MAX_SIGNERS)
    fallback_after_blocks: int = bounded("blocks", 0, MAX_OLDER_BLOCKS)

    def check(self) -> None:
        """No more signatures than signers."""
        Quorum(self.fallback_required, self.signers).check("signers")


def lay_out(terms: MusigTreasuryTerms, network: Network) -> Layout:
    """One part: the aggregate key, and a leaf beside it."""
    form = OutputForm.TR.form
    seats = Seats(network, form)
    fallback: Policy = quorum_policy(terms.fallback_required, seats.keys(terms.signers))
    if terms.fallback_after_blocks:
        fallback = And((fallback, Older(terms.fallback_after_blocks)))
    ways = (
        Way(
            "together",
            "The treasury pays with everybody's signature in one",
            Key(seats.aggregate(terms.signers)),
            Outcome.CONTINUES,
            weight=20,
            signer_rules=(APPROVED_ONLY,),
        ),
        Way(
            "fallback",
            "The treasury pays without somebody",
            fallback,
            Outcome.CONTINUES,
            signer_rules=(APPROVED_ONLY,),
        ),
    )
    return Layout((Part(PART, form, ways, key_way="together"),), seats)


TEMPLATE = Template(
    "musig-treasury", "MuSig2 key path with script fallback", MusigTreasuryTerms, lay_out
)
