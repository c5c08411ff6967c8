"""A PSBT as typed values. Mappings are read-only by agreement; a change is a new object.

Both versions are held in the shape of BIP370: the parts of the unsigned transaction stand in the
inputs and outputs. For version 0, `fallback_lock_time` is that transaction's lock time and every
`sequence` is set.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from shared.bitcoin.bip32 import KeyOrigin
from shared.bitcoin.errors import PsbtError
from shared.bitcoin.taproot import Leaf
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut

FINAL_SEQUENCE: Final = 0xFFFFFFFF
LOCK_TIME_THRESHOLD: Final = 500_000_000
"""BIP65: below it a lock time is a height, from it on a Unix time."""

INPUTS_MODIFIABLE: Final = 1
OUTPUTS_MODIFIABLE: Final = 2
HAS_SIGHASH_SINGLE: Final = 4


@dataclass(frozen=True, slots=True)
class TapOrigin:
    """BIP371: where an x-only key comes from, and the leaves it signs in (none: internal key)."""

    leaf_hashes: tuple[bytes, ...]
    origin: KeyOrigin


@dataclass(frozen=True, slots=True)
class TreeLeaf:
    """BIP371: one leaf of an output's tree, in depth-first order."""

    depth: int
    version: int
    script: bytes


@dataclass(frozen=True, slots=True)
class PsbtInput:
    """One input. Keys of mappings are the BIPs' key data; txids are in internal byte order.

    `musig_nonces` and `musig_partial_signatures` are keyed by participant (33 bytes), aggregate
    key as it signs (33) and, in a script, leaf hash (32). `others` holds proprietary and unknown
    records by their whole key.
    """

    previous_txid: bytes
    output_index: int
    sequence: int | None = None
    required_time: int | None = None
    required_height: int | None = None
    previous_transaction: Transaction | None = None
    witness_utxo: TxOut | None = None
    partial_signatures: Mapping[bytes, bytes] = field(default_factory=dict)
    sighash_type: int | None = None
    redeem_script: bytes | None = None
    witness_script: bytes | None = None
    derivations: Mapping[bytes, KeyOrigin] = field(default_factory=dict)
    final_script_sig: bytes | None = None
    final_witness: tuple[bytes, ...] | None = None
    por_commitment: bytes | None = None
    ripemd160_preimages: Mapping[bytes, bytes] = field(default_factory=dict)
    sha256_preimages: Mapping[bytes, bytes] = field(default_factory=dict)
    hash160_preimages: Mapping[bytes, bytes] = field(default_factory=dict)
    hash256_preimages: Mapping[bytes, bytes] = field(default_factory=dict)
    tap_key_signature: bytes | None = None
    tap_script_signatures: Mapping[bytes, bytes] = field(default_factory=dict)
    tap_leaf_scripts: Mapping[bytes, Leaf] = field(default_factory=dict)
    tap_derivations: Mapping[bytes, TapOrigin] = field(default_factory=dict)
    tap_internal_key: bytes | None = None
    tap_merkle_root: bytes | None = None
    musig_participants: Mapping[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    musig_nonces: Mapping[bytes, bytes] = field(default_factory=dict)
    musig_partial_signatures: Mapping[bytes, bytes] = field(default_factory=dict)
    others: Mapping[bytes, bytes] = field(default_factory=dict)

    @property
    def outpoint(self) -> OutPoint:
        """The output this input spends."""
        return OutPoint(self.previous_txid, self.output_index)

    @property
    def is_final(self) -> bool:
        """Whether a finaliser has been here."""
        return self.final_witness is not None or self.final_script_sig is not None

    @property
    def effective_sequence(self) -> int:
        """BIP370: an absent sequence is the final one."""
        return FINAL_SEQUENCE if self.sequence is None else self.sequence


@dataclass(frozen=True, slots=True)
class PsbtOutput:
    """One output of the transaction, with what a signer needs to know its own change by."""

    amount_sat: int
    script_pubkey: bytes
    redeem_script: bytes | None = None
    witness_script: bytes | None = None
    derivations: Mapping[bytes, KeyOrigin] = field(default_factory=dict)
    tap_internal_key: bytes | None = None
    tap_tree: tuple[TreeLeaf, ...] | None = None
    tap_derivations: Mapping[bytes, TapOrigin] = field(default_factory=dict)
    musig_participants: Mapping[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    others: Mapping[bytes, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Psbt:
    """The whole of it. `version` is 0 or 2; `xpubs` maps 78-byte extended keys to their origin."""

    version: int
    tx_version: int
    inputs: tuple[PsbtInput, ...]
    outputs: tuple[PsbtOutput, ...]
    fallback_lock_time: int | None = None
    modifiable: int | None = None
    xpubs: Mapping[bytes, KeyOrigin] = field(default_factory=dict)
    others: Mapping[bytes, bytes] = field(default_factory=dict)

    @cached_property
    def lock_time(self) -> int:
        """BIP370 "Determining Lock Time". Raises PsbtError when the inputs need both kinds."""
        needing = [
            one
            for one in self.inputs
            if one.required_height is not None or one.required_time is not None
        ]
        if not needing:
            return self.fallback_lock_time or 0
        heights = [one.required_height for one in needing if one.required_height is not None]
        if len(heights) == len(needing):
            return max(heights)
        times = [one.required_time for one in needing if one.required_time is not None]
        if len(times) == len(needing):
            return max(times)
        raise PsbtError(
            "inputs.PSBT_IN_REQUIRED_HEIGHT_LOCKTIME",
            "one input needs a height, another a time",
            "required lock times of one kind that every input accepts",
        )

    @cached_property
    def unsigned(self) -> Transaction:
        """The transaction that is signed: no scriptSigs, no witnesses."""
        return self._transaction(None)

    @cached_property
    def identifier(self) -> bytes:
        """What makes two PSBTs the same: the unsigned txid; in version 2 with sequences of zero."""
        if self.version == 0:
            return self.unsigned.txid
        return self._transaction(0).txid

    def _transaction(self, sequence: int | None) -> Transaction:
        inputs = tuple(
            TxIn(
                one.outpoint,
                b"",
                one.effective_sequence if sequence is None else sequence,
                (),
            )
            for one in self.inputs
        )
        outputs = tuple(TxOut(one.amount_sat, one.script_pubkey) for one in self.outputs)
        return Transaction(self.tx_version, inputs, outputs, self.lock_time)
