"""Drafts as PSBTs, for signers on hosts of their own and air-gapped ones, and back."""

from collections.abc import Mapping

from controller.contracts.draft import Draft
from controller.contracts.errors import ContractError
from controller.contracts.signing import InputSignatures
from shared.bitcoin.psbt import (
    Psbt,
    create,
    describe_input,
    describe_output,
    input_description,
    offered,
    output_description,
    set_spent,
)
from shared.bitcoin.transaction import Transaction


def to_psbt(draft: Draft, previous: Mapping[bytes, Transaction]) -> Psbt:
    """A PSBT (version 2) in which a signer finds all that it checks for itself.

    `previous` are the transactions whose outputs are spent, by id; for P2WSH every one of them has
    to be there (PsbtError), since a signature of version 0 covers its own input's amount only.
    """
    psbt = create(draft.transaction)
    for place, (output, prevout) in enumerate(zip(draft.spent, draft.prevouts, strict=True)):
        spent_txid = draft.transaction.inputs[place].outpoint.txid
        psbt = set_spent(psbt, place, prevout, previous.get(spent_txid))
        psbt = describe_input(psbt, place, input_description(output))
    for place, output in draft.own_outputs.items():
        psbt = describe_output(psbt, place, output_description(output))
    return psbt


def signatures_of(draft: Draft, psbt: Psbt) -> tuple[InputSignatures, ...]:
    """What the signers signed, to be joined and satisfied.

    ContractError where the PSBT is of another transaction. The signatures themselves are judged by
    Core's engine once the transaction is finished.
    """
    if psbt.unsigned != draft.transaction:
        raise ContractError(
            "psbt", f"of transaction {psbt.unsigned.hex}", f"the draft's, {draft.transaction.hex}"
        )
    found = [offered(psbt, place) for place in range(len(psbt.inputs))]
    return tuple(
        InputSignatures(one.signatures, one.key_signature, one.leaf_signatures) for one in found
    )
