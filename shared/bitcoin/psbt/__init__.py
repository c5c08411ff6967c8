"""Partially signed transactions, versions 0 and 2 (BIP174, 370, 371, 373). Pure: no I/O, no keys.

Both sides import it: the controller drafts, combines and finalises, the signer checks and signs.

- `model`: `Psbt`, `PsbtInput`, `PsbtOutput`, frozen; the unsigned transaction and lock time of it.
- `values`, `keydata`: one codec for each shape of value and key; `fields`: which key has which, by
  map and version. A new field of a BIP is an attribute of the model and a row there.
- `maps`: the raw key-value maps. `codec`: bytes and base64 to the model and back, sorted by key.
- `conversion`: version 0 to 2 and back, and creation from a draft.
- `spent`: what the inputs spend, checked by txid and amount. `update`: what an updater adds.
- `described`: what a descriptor's output says of an input or output of a PSBT.
- `signing`: ECDSA and schnorr through a signer's callback; `musig_signing`: MuSig2 through one,
  `musig` its sessions, nonces and parts one by one.
- `verifying`: the signatures that others made. `combining`, `finalising`: the last roles, to the
  extracted transaction.
"""

from shared.bitcoin.psbt.codec import from_base64, parse, serialise, to_base64
from shared.bitcoin.psbt.combining import combine
from shared.bitcoin.psbt.conversion import create, to_version_0, to_version_2
from shared.bitcoin.psbt.described import input_description, output_description
from shared.bitcoin.psbt.finalising import Satisfier, extract, finalise, offered
from shared.bitcoin.psbt.model import Psbt, PsbtInput, PsbtOutput, TapOrigin, TreeLeaf
from shared.bitcoin.psbt.musig_signing import (
    MusigRequest,
    MusigSigner,
    add_nonces,
    add_partial_signatures,
    complete_sessions,
)
from shared.bitcoin.psbt.signing import EcdsaRequest, SchnorrRequest, Signer, sign
from shared.bitcoin.psbt.spent import spent_outputs
from shared.bitcoin.psbt.update import (
    InputDescription,
    OutputDescription,
    describe_input,
    describe_output,
    set_spent,
)
from shared.bitcoin.psbt.verifying import check_signatures

__all__ = [
    "EcdsaRequest",
    "InputDescription",
    "MusigRequest",
    "MusigSigner",
    "OutputDescription",
    "Psbt",
    "PsbtInput",
    "PsbtOutput",
    "Satisfier",
    "SchnorrRequest",
    "Signer",
    "TapOrigin",
    "TreeLeaf",
    "add_nonces",
    "add_partial_signatures",
    "check_signatures",
    "combine",
    "complete_sessions",
    "create",
    "describe_input",
    "describe_output",
    "extract",
    "finalise",
    "from_base64",
    "input_description",
    "offered",
    "output_description",
    "parse",
    "serialise",
    "set_spent",
    "sign",
    "spent_outputs",
    "to_base64",
    "to_version_0",
    "to_version_2",
]
