"""Feerates and weights: what a transaction of some weight pays. Pure.

Feerates are whole satoshi per 1,000 virtual bytes, as Bitcoin Core keeps them (`CFeeRate`), so that
one satoshi per virtual byte is 1,000. Weights are those of BIP141.
"""

from typing import Final

from shared.bitcoin.script import ScriptKind, classify
from shared.bitcoin.wire import varint
from shared.errors import BadInputError

DUST_RELAY_SAT_PER_KVB: Final = 3_000
"""Bitcoin Core's default (-dustrelayfee)."""
MOST_SAT_PER_KVB: Final = 10_000_000
"""10,000 sat/vB: above it is a mistake."""

MAX_STANDARD_WEIGHT: Final = 400_000
TRUC_VERSION: Final = 3
TRUC_MAX_WEIGHT: Final = 40_000
"""BIP431 rule 4: 10,000 virtual bytes."""
TRUC_CHILD_MAX_WEIGHT: Final = 4_000
"""BIP431 rule 5: 1,000 virtual bytes where an ancestor is unconfirmed."""

_WITNESS_INPUT_VB = 67  # Core's GetDustThreshold: 32 + 4 + 1 + 107 / 4 + 4
_INPUT_VB = 148
_AMOUNT_BYTES = 8
_OVERHEAD_BYTES = 8  # version and lock time
_SEGWIT_WEIGHT = 2  # marker and flag


def check_feerate(field: str, sat_per_kvb: int) -> int:
    """The feerate as it is; BadInputError where it is not from 1 to 10,000 sat/vB in sat/kvB."""
    if type(sat_per_kvb) is not int or not 1 <= sat_per_kvb <= MOST_SAT_PER_KVB:
        raise BadInputError(field, repr(sat_per_kvb), f"from 1 to {MOST_SAT_PER_KVB} sat/kvB")
    return sat_per_kvb


def vsize(weight: int) -> int:
    """Virtual bytes: a quarter of the weight, rounded up (BIP141)."""
    return -(-weight // 4)


def fee_sat(sat_per_kvb: int, weight: int) -> int:
    """The least fee with which a transaction of this weight has this feerate."""
    return -(-sat_per_kvb * vsize(weight) // 1_000)


def feerate_of(fee: int, weight: int) -> int:
    """The feerate in sat/kvB that a fee is, rounded down."""
    return fee * 1_000 // vsize(weight)


def output_weight(script_pubkey: bytes) -> int:
    """The weight of an output that pays to this script."""
    return 4 * output_bytes(script_pubkey)


def output_bytes(script_pubkey: bytes) -> int:
    """Amount, length and script."""
    return _AMOUNT_BYTES + len(varint(len(script_pubkey))) + len(script_pubkey)


def base_weight(outputs: int, outputs_weight: int, inputs: int) -> int:
    """A transaction without its inputs: version, lock time, counts, outputs, segwit marker."""
    counts = len(varint(inputs)) + len(varint(outputs))
    return 4 * (_OVERHEAD_BYTES + counts) + outputs_weight + _SEGWIT_WEIGHT


def dust_limit_sat(script_pubkey: bytes, dust_relay_sat_per_kvb: int) -> int:
    """The least amount of an output that is not dust (Core, policy.cpp, GetDustThreshold).

    >>> dust_limit_sat(bytes.fromhex("5120" + "00" * 32), 3_000)
    330
    """
    kind = classify(script_pubkey)
    if kind is ScriptKind.NULL_DATA:
        return 0
    is_witness = kind in {
        ScriptKind.P2WPKH,
        ScriptKind.P2WSH,
        ScriptKind.P2TR,
        ScriptKind.P2A,
        ScriptKind.WITNESS_UNKNOWN,
    }
    size = output_bytes(script_pubkey) + (_WITNESS_INPUT_VB if is_witness else _INPUT_VB)
    return -(-dust_relay_sat_per_kvb * size // 1_000)


def max_weight(version: int, *, spends_unconfirmed: bool) -> int:
    """The most weight that a transaction of this version may have to relay."""
    if version != TRUC_VERSION:
        return MAX_STANDARD_WEIGHT
    return TRUC_CHILD_MAX_WEIGHT if spends_unconfirmed else TRUC_MAX_WEIGHT
