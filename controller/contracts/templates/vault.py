"""A vault of two descriptors: coins leave it only through a waiting room, where they can be caught.

That the vault pays nothing but the waiting room is a rule of its signers: a signer that is shown
another output refuses. That coins wait there for `delay_blocks`, and that the guardians can claw
them back meanwhile, is consensus. So whoever takes over enough signers to break the first rule is
not stopped; whoever only gets a transaction signed within the rules, is.
"""

from dataclasses import dataclass

from controller.contracts.contract import MAX_OLDER_BLOCKS, Layout, Part, Template
from controller.contracts.errors import TermsError
from controller.contracts.parties import MAX_SIGNERS, OutputForm, Participant, Quorum, Seats
from controller.contracts.paths import OnlyPart, Outcome, Way
from controller.contracts.templates.treasury import APPROVED_ONLY, quorum_policy
from controller.contracts.terms import Terms, bounded
from shared.bitcoin.networks import Network
from shared.bitcoin.policy import And, Older

VAULT, WAITING = "vault", "unvaulting"


@dataclass(frozen=True, slots=True)
class VaultTerms(Terms):
    """The signers' quorum, the guardians' quorum, and how long coins wait."""

    required: int = bounded("signatures", 1, MAX_SIGNERS)
    signers: tuple[Participant, ...] = bounded("signers", 1, MAX_SIGNERS)
    guardians_required: int = bounded("signatures", 1, MAX_SIGNERS)
    guardians: tuple[Participant, ...] = bounded("guardians", 1, MAX_SIGNERS)
    delay_blocks: int = bounded("blocks", 6, MAX_OLDER_BLOCKS)
    output: OutputForm = OutputForm.TR

    def check(self) -> None:
        """Signers and guardians are different people."""
        Quorum(self.required, self.signers).check("signers")
        Quorum(self.guardians_required, self.guardians).check("guardians")
        if {one.key for one in self.signers} & {one.key for one in self.guardians}:
            raise TermsError("guardians", "a signer among them", "nobody of the signers")


def lay_out(terms: VaultTerms, network: Network) -> Layout:
    """Two parts: the vault and the waiting room."""
    form = terms.output.form
    seats = Seats(network, form)
    unvault = Way(
        "unvault",
        "A coin of the vault is sent to the waiting room",
        quorum_policy(terms.required, seats.keys(terms.signers)),
        Outcome.CONTINUES,
        destination=OnlyPart(WAITING),
        signer_rules=("only the waiting room is paid, and change stays in the vault",),
    )
    withdraw = Way(
        "withdraw",
        "A coin that waited is paid out",
        And((quorum_policy(terms.required, seats.keys(terms.signers)), Older(terms.delay_blocks))),
        Outcome.CONTINUES,
        weight=20,
        signer_rules=(APPROVED_ONLY,),
        change_part=VAULT,
    )
    claw_back = Way(
        "claw-back",
        "The guardians send a waiting coin back into the vault",
        quorum_policy(terms.guardians_required, seats.keys(terms.guardians)),
        Outcome.CONTINUES,
        destination=OnlyPart(VAULT),
        signer_rules=("only the vault is paid",),
        change_part=VAULT,
    )
    parts = (
        Part(VAULT, form, (unvault,), key_way=_alone(unvault, terms.signers, terms.output)),
        Part(
            WAITING,
            form,
            (withdraw, claw_back),
            key_way=_alone(claw_back, terms.guardians, terms.output),
        ),
    )
    return Layout(parts, seats)


def _alone(way: Way, signers: tuple[Participant, ...], output: OutputForm) -> str | None:
    """The way where a single signer can spend a taproot output by its key."""
    return way.name if len(signers) == 1 and output is OutputForm.TR else None


TEMPLATE = Template("vault", "vault with delay and claw-back", VaultTerms, lay_out)
