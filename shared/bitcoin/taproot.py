"""Taproot outputs: script trees, output keys, control blocks, witnesses (BIP341, BIP342)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from shared.bitcoin import script
from shared.bitcoin.errors import KeyMaterialError, ScriptError
from shared.bitcoin.hashes import HASH_BYTES, tagged_hash
from shared.bitcoin.keys import PrivateKey, check_x_only, tweaked_x_only
from shared.bitcoin.wire import var_bytes

TAPSCRIPT_VERSION: Final = 0xC0
MAX_DEPTH: Final = 128
UNSPENDABLE_KEY: Final = bytes.fromhex(
    "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0"
)
"""BIP341's point H, of which nobody knows the secret: an internal key that cannot sign."""

_ANNEX: Final = b"\x50"
_VERSION_MASK: Final = 0xFE
_CONTROL_BASE_BYTES: Final = 33
_SIGNATURE_BYTES: Final = (64, 65)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A script that may spend the output, with its version: even, and not the annex's 0x50."""

    script: bytes
    version: int = TAPSCRIPT_VERSION

    def __post_init__(self) -> None:
        if not 0 <= self.version <= 0xFE or self.version & 1 or self.version == _ANNEX[0]:
            raise ScriptError("leaf version", hex(self.version), "an even byte other than 0x50")

    @property
    def hash(self) -> bytes:
        """The leaf's hash (BIP341): 32 bytes."""
        return tagged_hash("TapLeaf", bytes((self.version,)) + var_bytes(self.script))


Tree: TypeAlias = Leaf | tuple["Tree", "Tree"]
"""A script tree: a leaf, or two trees side by side. Their order does not change the root."""


@dataclass(frozen=True, slots=True)
class TaprootOutput:
    """An output that its internal key or a leaf of its tree may spend.

    `internal_key` is x-only; without `tree` only the key can spend, and provably so (BIP341 asks
    for the tweak even then). KeyMaterialError where the key is no point, ScriptError where the tree
    is deeper than 128.
    """

    internal_key: bytes
    tree: "Tree | None" = None
    merkle_root: bytes | None = field(init=False, compare=False)
    output_key: bytes = field(init=False, compare=False)
    parity: int = field(init=False, compare=False)
    _paths: tuple[tuple[Leaf, bytes], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_x_only("internal key", self.internal_key)
        root: bytes | None = None
        paths: list[tuple[Leaf, bytes]] = []
        if self.tree is not None:
            root, paths = _walk(self.tree, 0)
        output_key, parity = tweaked_x_only(self.internal_key, tweak(self.internal_key, root))
        object.__setattr__(self, "merkle_root", root)
        object.__setattr__(self, "output_key", output_key)
        object.__setattr__(self, "parity", parity)
        object.__setattr__(self, "_paths", tuple(sorted(paths, key=lambda one: len(one[1]))))

    @property
    def script_pubkey(self) -> bytes:
        """The output script."""
        return script.p2tr(self.output_key)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """The leaves, those nearest to the root first."""
        return tuple(leaf for leaf, _ in self._paths)

    def control_block(self, leaf: Leaf) -> bytes:
        """The last witness element of a spend through `leaf`, by its shortest path.

        ScriptError where the tree has no such leaf.
        """
        for one, path in self._paths:
            if one == leaf:
                return bytes((leaf.version | self.parity,)) + self.internal_key + path
        raise ScriptError("leaf", "not in the tree", "a leaf of the tree")

    def tweaked_private(self, internal: PrivateKey) -> PrivateKey:
        """The private key that signs for the key path; `internal` is the internal key's."""
        if internal.x_only != self.internal_key:
            raise KeyMaterialError("private key", "another key's", "the internal key's")
        return tweaked_private_key(internal, self.merkle_root)


def tweak(internal_key: bytes, merkle_root: bytes | None) -> bytes:
    """What is added to the internal key: 32 bytes (BIP341, Constructing and spending)."""
    return tagged_hash("TapTweak", internal_key + (merkle_root or b""))


def tweaked_private_key(internal: PrivateKey, merkle_root: bytes | None) -> PrivateKey:
    """The private key of the output key (BIP341, taproot_tweak_seckey)."""
    return internal.with_even_y().tweaked(tweak(internal.x_only, merkle_root))


def unspendable_key(blinding: bytes) -> bytes:
    """An x-only key of unknown secret that others cannot tell from a real one: H + blinding * G.

    To whom the 32 random bytes of `blinding` are shown, it is proven to have no secret (BIP341).
    """
    return tweaked_x_only(UNSPENDABLE_KEY, blinding)[0]


def branch_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees, whichever comes first."""
    return tagged_hash("TapBranch", left + right if left <= right else right + left)


def _walk(tree: Tree, depth: int) -> tuple[bytes, list[tuple[Leaf, bytes]]]:
    """The tree's root and each leaf with the hashes beside its path, from the leaf upwards."""
    if depth > MAX_DEPTH:
        raise ScriptError("tree", f"deeper than {MAX_DEPTH}", f"at most {MAX_DEPTH}")
    if isinstance(tree, Leaf):
        return tree.hash, [(tree, b"")]
    left, left_paths = _walk(tree[0], depth + 1)
    right, right_paths = _walk(tree[1], depth + 1)
    paths = [(leaf, path + right) for leaf, path in left_paths]
    paths += [(leaf, path + left) for leaf, path in right_paths]
    return branch_hash(left, right), paths


@dataclass(frozen=True, slots=True)
class KeySpend:
    """A witness that spends by the output key: a signature of 64 bytes, or 65 with its type."""

    signature: bytes


@dataclass(frozen=True, slots=True)
class ScriptSpend:
    """A witness that spends through a leaf; `stack` is what the script finds, bottom first."""

    stack: tuple[bytes, ...]
    leaf: Leaf
    control_block: bytes

    def commits_to(self, output_key: bytes) -> bool:
        """Whether the output key commits to the leaf (BIP341, Script validation rules)."""
        internal_key = self.control_block[1:_CONTROL_BASE_BYTES]
        root = self.leaf.hash
        for at in range(_CONTROL_BASE_BYTES, len(self.control_block), HASH_BYTES):
            root = branch_hash(root, self.control_block[at : at + HASH_BYTES])
        try:
            computed, parity = tweaked_x_only(internal_key, tweak(internal_key, root))
        except KeyMaterialError:
            return False
        return computed == output_key and parity == self.control_block[0] & 1


def has_annex(witness: Sequence[bytes]) -> bool:
    """Whether a taproot input's witness stack ends in an annex, which has no meaning yet."""
    return len(witness) > 1 and witness[-1][:1] == _ANNEX


def read_spend(witness: Sequence[bytes]) -> KeySpend | ScriptSpend:
    """What a taproot input's witness stack is, by BIP341's rules.

    ScriptError for an empty stack, a malformed signature or control block, and for what has no
    meaning yet: an annex, a leaf version other than tapscript's.
    """
    if has_annex(witness):
        raise ScriptError("annex", f"{len(witness[-1])} bytes", "no annex")
    if len(witness) == 1:
        if len(witness[0]) not in _SIGNATURE_BYTES:
            raise ScriptError("signature", f"{len(witness[0])} bytes", "64 or 65 bytes")
        return KeySpend(witness[0])
    if not witness:
        raise ScriptError("witness", "no element", "a signature, or script and control block")
    control_block = witness[-1]
    steps, rest = divmod(len(control_block) - _CONTROL_BASE_BYTES, HASH_BYTES)
    if rest or not 0 <= steps <= MAX_DEPTH:
        raise ScriptError(
            "control block", f"{len(control_block)} bytes", "33 bytes and 0 to 128 hashes"
        )
    version = control_block[0] & _VERSION_MASK
    if version != TAPSCRIPT_VERSION:
        raise ScriptError("leaf version", hex(version), hex(TAPSCRIPT_VERSION))
    return ScriptSpend(tuple(witness[:-2]), Leaf(witness[-2], version), control_block)
