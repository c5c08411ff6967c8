"""Where a path's coins may go. The controller keeps to it, and each signer checks it for itself."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from controller.contracts.context import Request
from controller.contracts.errors import DraftError
from controller.contracts.paths import Anywhere, ContractPath, OnlyPart, OnlyScripts
from controller.contracts.split import Split
from shared.bitcoin.transaction import Transaction, TxOut


@dataclass(frozen=True, slots=True)
class Paid:
    """What a transaction pays besides change: others' outputs, and the contract's own parts."""

    outputs: tuple[TxOut, ...]
    parts: frozenset[str]

    @classmethod
    def of(cls, transaction: Transaction, own: Mapping[int, str], path: ContractPath) -> "Paid":
        """As a signer reads a transaction: `own` has the part of each output that its descriptors
        know, by place. Own outputs of the path's change part count as change."""
        outputs = tuple(
            one for place, one in enumerate(transaction.outputs) if own.get(place) is None
        )
        return cls(outputs, frozenset(own.values()) - {path.change_part})


def check_request(path: ContractPath, request: Request, split: Split | None) -> None:
    """DraftError where the request pays what the path's destination does not allow."""
    outputs = request.outputs
    if request.sweep_to is not None:
        outputs = (TxOut(0, request.sweep_to),)
    parts = frozenset(one.part for one in request.moves)
    if not request.sweep_to_change:
        check_paid(path, Paid(outputs, parts), split)


def check_paid(path: ContractPath, paid: Paid, split: Split | None = None) -> None:
    """DraftError where the path's destination does not allow it; `split` is the period's own."""
    destination = path.destination
    if isinstance(destination, Anywhere):
        return
    if isinstance(destination, OnlyPart):
        if paid.outputs or not paid.parts <= {destination.part}:
            raise _refused(path, f"the contract's own part {destination.part}")
    elif isinstance(destination, OnlyScripts):
        scripts = {one.script_pubkey for one in paid.outputs}
        if paid.parts or not scripts <= destination.scripts:
            raise _refused(path, f"{len(destination.scripts)} agreed outputs")
    elif split is None or paid.parts or Counter(paid.outputs) != Counter(split.outputs):
        raise _refused(path, "exactly the outputs of the split by work")


def _refused(path: ContractPath, allowed: str) -> DraftError:
    return DraftError("outputs", f"{path.name} does not pay there", allowed)
