"""One output of a descriptor: its scripts, its keys with their origins, and how it is spent."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import Final

from shared.bitcoin import script
from shared.bitcoin.descriptors.conditions import Conditions
from shared.bitcoin.descriptors.key_expressions import DerivedKey, KeyExpression
from shared.bitcoin.miniscript import Available
from shared.bitcoin.taproot import Leaf, TaprootOutput
from shared.bitcoin.transaction import MAX_SEQUENCE
from shared.bitcoin.wire import varint

INPUT_BASE_WEIGHT: Final = 4 * (36 + 4)
"""Weight of an input's outpoint and sequence."""
ECDSA_SIGNATURE_BYTES: Final = 72
"""The longest ECDSA signature with low S, with its sighash byte."""
SCHNORR_SIGNATURE_BYTES: Final = 65
"""A BIP340 signature with a sighash byte."""


class Form(Enum):
    """The kinds of output that a descriptor describes, as their text begins."""

    PKH = "pkh"
    WPKH = "wpkh"
    SH_WPKH = "sh(wpkh"
    WSH = "wsh"
    SH_WSH = "sh(wsh"
    TR = "tr"


@dataclass(frozen=True, slots=True)
class Offered:
    """What there is to spend an output with.

    `signatures` are ECDSA, with their sighash byte, by compressed key. For taproot
    `key_signature` is the output key's and `leaf_signatures` are by x-only key and leaf hash, as a
    PSBT keeps them (BIP371). Preimages are by digest. The locks are the spending transaction's.
    """

    signatures: Mapping[bytes, bytes] = field(default_factory=dict)
    key_signature: bytes | None = None
    leaf_signatures: Mapping[tuple[bytes, bytes], bytes] = field(default_factory=dict)
    preimages: Mapping[bytes, bytes] = field(default_factory=dict)
    sequence: int = MAX_SEQUENCE
    lock_time: int = 0
    version: int = 2


@dataclass(frozen=True, slots=True)
class Spend:
    """What an input carries: script, whole witness; and the locks that it relies on, if any.

    `needs_older` is a BIP68 value for the sequence, `needs_after` one for the lock time. `leaf` is
    the tapscript that is run, None for a key path and for other kinds of output.
    """

    script_sig: bytes
    witness: tuple[bytes, ...]
    needs_older: int | None = None
    needs_after: int | None = None
    leaf: Leaf | None = None

    @property
    def input_weight(self) -> int:
        """The weight of an input that carries it (BIP141); without a witness its count is one."""
        length = len(varint(len(self.script_sig))) + len(self.script_sig)
        witness_bytes = len(varint(len(self.witness))) + _witness_bytes(self.witness)
        return INPUT_BASE_WEIGHT + 4 * length + witness_bytes


@dataclass(frozen=True, slots=True)
class DerivedScript:
    """A witness script or the script of a leaf, and the bytes of its keys."""

    conditions: Conditions
    keys: Mapping[str, bytes]
    content: bytes

    @property
    def leaf(self) -> Leaf:
        """The script as a leaf."""
        return Leaf(self.content)


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key of the output with its origin: `leaf_hashes` are those of the leaves that check it,
    `is_internal` says whether it is the taproot internal key, or the one key of the output."""

    key: DerivedKey
    is_internal: bool
    leaf_hashes: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class DerivedOutput:
    """The output at one branch and index. What it is not has None or nothing."""

    form: Form
    branch: int
    index: int
    script_pubkey: bytes
    key: bytes | None = None
    """The compressed key of a form with a single key, the internal key's x for taproot."""
    redeem_script: bytes | None = None
    scripts: tuple[DerivedScript, ...] = ()
    """The witness script, or the scripts of the leaves in the order of the text."""
    taproot: TaprootOutput | None = None
    key_expression: KeyExpression | None = None

    @property
    def witness_script(self) -> bytes | None:
        """The script that a P2WSH output commits to."""
        return self.scripts[0].content if self.form in (Form.WSH, Form.SH_WSH) else None

    @cached_property
    def keys(self) -> tuple[KeyUse, ...]:
        """Every key with its origin, each once: the single or internal one first."""
        uses: dict[bytes, KeyUse] = {}
        start = 1 if self.form is Form.TR else 0
        if self.key_expression is not None:
            derived = self.key_expression.derive(self.branch, self.index)
            uses[derived.public_key[start:]] = KeyUse(derived, is_internal=True)
        for part in self.scripts:
            hashes = (part.leaf.hash,) if self.form is Form.TR else ()
            for derived in part.conditions.derive(self.branch, self.index):
                name = derived.public_key[start:]
                known = uses.get(name, KeyUse(derived, is_internal=False))
                uses[name] = KeyUse(known.key, known.is_internal, known.leaf_hashes + hashes)
        return tuple(uses.values())

    def satisfaction(self, offered: Offered) -> Spend | None:
        """The smallest spend that nobody else can change; None while something is missing."""
        if self.form is Form.TR:
            return self._spend_taproot(offered)
        if self.scripts:
            return self._spend_script(offered)
        return self._spend_key(offered)

    def plan(self, signers: Collection[bytes], offered: Offered) -> Spend | None:
        """The spend that these signers would make, with stand-ins for their signatures.

        `signers` are compressed keys, MuSig2 participants each; `offered` says the rest. Signatures
        are the largest there are, so that weight and fee are known before anyone signs.
        """
        if self.form is not Form.TR:
            signatures = dict.fromkeys(signers, bytes(ECDSA_SIGNATURE_BYTES))
            return self.satisfaction(replace(offered, signatures=signatures))
        signing = [use for use in self.keys if _signs(use.key, signers)]
        stand_in = bytes(SCHNORR_SIGNATURE_BYTES)
        by_key = stand_in if any(use.is_internal for use in signing) else None
        by_leaf = {
            (use.key.public_key[1:], leaf_hash): stand_in
            for use in signing
            for leaf_hash in use.leaf_hashes
        }
        return self.satisfaction(replace(offered, key_signature=by_key, leaf_signatures=by_leaf))

    @property
    def script_sig(self) -> bytes:
        """What a nested segwit input has in its script; nothing for other forms."""
        return b"" if self.redeem_script is None else script.push(self.redeem_script)

    def _spend_key(self, offered: Offered) -> Spend | None:
        if self.key is None:
            return None
        signature = offered.signatures.get(self.key)
        if signature is None:
            return None
        if self.form is Form.PKH:
            return Spend(script.script(signature, self.key), ())
        return Spend(self.script_sig, (signature, self.key))

    def _spend_script(self, offered: Offered) -> Spend | None:
        (part,) = self.scripts
        found = part.conditions.miniscript.satisfy(
            part.keys, _available(offered, offered.signatures)
        )
        if found is None:
            return None
        witness = (*found.witness, part.content)
        return Spend(self.script_sig, witness, found.needs_older, found.needs_after)

    def _spend_taproot(self, offered: Offered) -> Spend | None:
        """By key where it signed, else through the leaf whose witness is smallest."""
        if offered.key_signature is not None:
            return Spend(b"", (offered.key_signature,))
        output = self.taproot
        best: tuple[int, Spend] | None = None
        for part in self.scripts if output is not None else ():
            spend = _spend_leaf(part, output, offered) if output is not None else None
            if spend is not None:
                size = _witness_bytes(spend.witness)
                if best is None or size < best[0]:
                    best = size, spend
        return None if best is None else best[1]


def _signs(key: DerivedKey, signers: Collection[bytes]) -> bool:
    if key.public_key in signers:
        return True
    own = key.aggregate
    return own is not None and all(one.public_key in signers for one in own.participants)


def _spend_leaf(part: DerivedScript, output: TaprootOutput, offered: Offered) -> Spend | None:
    leaf = part.leaf
    leaf_hash = leaf.hash
    signatures = {
        key: signature
        for key in part.keys.values()
        if (signature := offered.leaf_signatures.get((key, leaf_hash))) is not None
    }
    found = part.conditions.miniscript.satisfy(part.keys, _available(offered, signatures))
    if found is None:
        return None
    witness = (*found.witness, part.content, output.control_block(leaf))
    return Spend(b"", witness, found.needs_older, found.needs_after, leaf)


def _available(offered: Offered, signatures: Mapping[bytes, bytes]) -> Available:
    return Available(
        signatures, offered.preimages, offered.sequence, offered.lock_time, offered.version
    )


def _witness_bytes(witness: tuple[bytes, ...]) -> int:
    return sum(len(varint(len(one))) + len(one) for one in witness)
