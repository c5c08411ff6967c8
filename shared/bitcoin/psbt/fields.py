"""The keys of each map, by type: name, what follows the type, the value, and in which version.

The numbers are those of BIP174's registry with BIP370, 371 and 373. What is not here is kept as it
came (`others`): proprietary (0xfc), BIP322's message (global 0x09), what later BIPs add.
"""

from dataclasses import dataclass
from typing import Final

from shared.bitcoin.psbt import keydata, values
from shared.bitcoin.psbt.keydata import KeyCheck
from shared.bitcoin.psbt.values import Value


@dataclass(frozen=True, slots=True)
class Field:
    """One row of the registry.

    `attribute` is the model's; `keyed` ones are mappings from key data to value. `only` is the one
    version that has the field (None: both), and `required` says whether that version must.
    """

    key_type: int
    name: str
    attribute: str
    value: Value
    check_key: KeyCheck = keydata.nothing
    only: int | None = None
    required: bool = False

    @property
    def keyed(self) -> bool:
        """Whether the map may hold several, told apart by key data."""
        return self.check_key is not keydata.nothing


def _table(*rows: Field) -> dict[int, Field]:
    return {row.key_type: row for row in rows}


GLOBAL: Final = _table(
    Field(0x00, "PSBT_GLOBAL_UNSIGNED_TX", "unsigned", values.UNSIGNED, only=0, required=True),
    Field(0x01, "PSBT_GLOBAL_XPUB", "xpubs", values.ORIGIN, keydata.extended_key),
    Field(0x02, "PSBT_GLOBAL_TX_VERSION", "tx_version", values.U32, only=2, required=True),
    Field(0x03, "PSBT_GLOBAL_FALLBACK_LOCKTIME", "fallback_lock_time", values.U32, only=2),
    Field(0x04, "PSBT_GLOBAL_INPUT_COUNT", "input_count", values.COUNT, only=2, required=True),
    Field(0x05, "PSBT_GLOBAL_OUTPUT_COUNT", "output_count", values.COUNT, only=2, required=True),
    Field(0x06, "PSBT_GLOBAL_TX_MODIFIABLE", "modifiable", values.BYTE, only=2),
    Field(0xFB, "PSBT_GLOBAL_VERSION", "version", values.U32),
)

_HASHES: Final = (
    Field(0x0A, "PSBT_IN_RIPEMD160", "ripemd160_preimages", values.ANY, keydata.RIPEMD160),
    Field(0x0B, "PSBT_IN_SHA256", "sha256_preimages", values.ANY, keydata.SHA256),
    Field(0x0C, "PSBT_IN_HASH160", "hash160_preimages", values.ANY, keydata.HASH160),
    Field(0x0D, "PSBT_IN_HASH256", "hash256_preimages", values.ANY, keydata.HASH256),
)

_TAPROOT: Final = (
    Field(0x13, "PSBT_IN_TAP_KEY_SIG", "tap_key_signature", values.SCHNORR),
    Field(
        0x14,
        "PSBT_IN_TAP_SCRIPT_SIG",
        "tap_script_signatures",
        values.SCHNORR,
        keydata.x_only_key_and_leaf,
    ),
    Field(0x15, "PSBT_IN_TAP_LEAF_SCRIPT", "tap_leaf_scripts", values.LEAF, keydata.control_block),
    Field(
        0x16,
        "PSBT_IN_TAP_BIP32_DERIVATION",
        "tap_derivations",
        values.TAP_ORIGIN,
        keydata.x_only_key,
    ),
    Field(0x17, "PSBT_IN_TAP_INTERNAL_KEY", "tap_internal_key", values.X_ONLY),
    Field(0x18, "PSBT_IN_TAP_MERKLE_ROOT", "tap_merkle_root", values.sized(32)),
    Field(
        0x1A,
        "PSBT_IN_MUSIG2_PARTICIPANT_PUBKEYS",
        "musig_participants",
        values.KEYS,
        keydata.compressed_key,
    ),
    Field(0x1B, "PSBT_IN_MUSIG2_PUB_NONCE", "musig_nonces", values.sized(66), keydata.participant),
    Field(
        0x1C,
        "PSBT_IN_MUSIG2_PARTIAL_SIG",
        "musig_partial_signatures",
        values.sized(32),
        keydata.participant,
    ),
)

INPUT: Final = _table(
    Field(0x00, "PSBT_IN_NON_WITNESS_UTXO", "previous_transaction", values.TRANSACTION),
    Field(0x01, "PSBT_IN_WITNESS_UTXO", "witness_utxo", values.OUTPUT),
    Field(0x02, "PSBT_IN_PARTIAL_SIG", "partial_signatures", values.ECDSA, keydata.public_key),
    Field(0x03, "PSBT_IN_SIGHASH_TYPE", "sighash_type", values.U32),
    Field(0x04, "PSBT_IN_REDEEM_SCRIPT", "redeem_script", values.ANY),
    Field(0x05, "PSBT_IN_WITNESS_SCRIPT", "witness_script", values.ANY),
    Field(0x06, "PSBT_IN_BIP32_DERIVATION", "derivations", values.ORIGIN, keydata.public_key),
    Field(0x07, "PSBT_IN_FINAL_SCRIPTSIG", "final_script_sig", values.ANY),
    Field(0x08, "PSBT_IN_FINAL_SCRIPTWITNESS", "final_witness", values.STACK),
    Field(0x09, "PSBT_IN_POR_COMMITMENT", "por_commitment", values.ANY),
    *_HASHES,
    Field(0x0E, "PSBT_IN_PREVIOUS_TXID", "previous_txid", values.sized(32), only=2, required=True),
    Field(0x0F, "PSBT_IN_OUTPUT_INDEX", "output_index", values.U32, only=2, required=True),
    Field(0x10, "PSBT_IN_SEQUENCE", "sequence", values.U32, only=2),
    Field(0x11, "PSBT_IN_REQUIRED_TIME_LOCKTIME", "required_time", values.TIME, only=2),
    Field(0x12, "PSBT_IN_REQUIRED_HEIGHT_LOCKTIME", "required_height", values.HEIGHT, only=2),
    *_TAPROOT,
)

OUTPUT: Final = _table(
    Field(0x00, "PSBT_OUT_REDEEM_SCRIPT", "redeem_script", values.ANY),
    Field(0x01, "PSBT_OUT_WITNESS_SCRIPT", "witness_script", values.ANY),
    Field(0x02, "PSBT_OUT_BIP32_DERIVATION", "derivations", values.ORIGIN, keydata.public_key),
    Field(0x03, "PSBT_OUT_AMOUNT", "amount_sat", values.AMOUNT, only=2, required=True),
    Field(0x04, "PSBT_OUT_SCRIPT", "script_pubkey", values.ANY, only=2, required=True),
    Field(0x05, "PSBT_OUT_TAP_INTERNAL_KEY", "tap_internal_key", values.X_ONLY),
    Field(0x06, "PSBT_OUT_TAP_TREE", "tap_tree", values.TREE),
    Field(
        0x07,
        "PSBT_OUT_TAP_BIP32_DERIVATION",
        "tap_derivations",
        values.TAP_ORIGIN,
        keydata.x_only_key,
    ),
    Field(
        0x08,
        "PSBT_OUT_MUSIG2_PARTICIPANT_PUBKEYS",
        "musig_participants",
        values.KEYS,
        keydata.compressed_key,
    ),
)
