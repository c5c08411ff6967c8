"""An m-of-n treasury: any `required` of the signers pay wherever it was approved."""

from dataclasses import dataclass

from controller.contracts.contract import Layout, Part, Template
from controller.contracts.parties import MAX_SIGNERS, OutputForm, Participant, Quorum, Seats
from controller.contracts.paths import Outcome, Way
from controller.contracts.terms import Terms, bounded
from shared.bitcoin.descriptors import Form
from shared.bitcoin.networks import Network
from shared.bitcoin.policy import Key, Policy, Threshold

PART = "treasury"
APPROVED_ONLY = "only outputs that the approvers signed are paid, at no more than the fee ceiling"


@dataclass(frozen=True, slots=True)
class TreasuryTerms(Terms):
    """`required` of `signers` pay."""

    required: int = bounded("signatures", 1, MAX_SIGNERS)
    signers: tuple[Participant, ...] = bounded("signers", 1, MAX_SIGNERS)
    output: OutputForm = OutputForm.TR

    def check(self) -> None:
        """No more signatures than signers, and all different."""
        Quorum(self.required, self.signers).check("signers")


def quorum_policy(required: int, keys: list[str]) -> Policy:
    """`required` of the keys; the key itself where there is one."""
    if len(keys) == 1:
        return Key(keys[0])
    return Threshold(required, tuple(map(Key, keys)))


def lay_out(terms: TreasuryTerms, network: Network) -> Layout:
    """One part with one way; a single key of a taproot treasury spends by the key path."""
    form = terms.output.form
    seats = Seats(network, form)
    spend = Way(
        "spend",
        "The treasury pays",
        quorum_policy(terms.required, seats.keys(terms.signers)),
        Outcome.CONTINUES,
        signer_rules=(APPROVED_ONLY,),
    )
    is_single = len(terms.signers) == 1 and form is Form.TR
    part = Part(PART, form, (spend,), key_way="spend" if is_single else None)
    return Layout((part,), seats)


TEMPLATE = Template("treasury", "m-of-n treasury", TreasuryTerms, lay_out)
