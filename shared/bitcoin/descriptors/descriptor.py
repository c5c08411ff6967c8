"""Output descriptors (BIP380 to 390): what a wallet's outputs are, and who can spend them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from shared.bitcoin import script
from shared.bitcoin.bip32 import HARDENED
from shared.bitcoin.descriptors.checksum import checksum
from shared.bitcoin.descriptors.conditions import Conditions
from shared.bitcoin.descriptors.key_expressions import KeyExpression, SingleKey, common_branches
from shared.bitcoin.descriptors.outputs import (
    ECDSA_SIGNATURE_BYTES,
    INPUT_BASE_WEIGHT,
    SCHNORR_SIGNATURE_BYTES,
    DerivedOutput,
    DerivedScript,
    Form,
)
from shared.bitcoin.errors import DescriptorError
from shared.bitcoin.miniscript import Path
from shared.bitcoin.networks import Network
from shared.bitcoin.taproot import MAX_DEPTH, UNSPENDABLE_KEY, Leaf, TaprootOutput, Tree
from shared.bitcoin.wire import varint

ConditionsTree: TypeAlias = "Conditions | tuple[ConditionsTree, ConditionsTree]"
"""A tree of tapscripts as descriptors write it."""

_KEY_BYTES: Final = 33
_CONTROL_BYTES: Final = 33
_STEP_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class SpendingPath:
    """One way to spend the descriptor's outputs.

    `leaf` is the leaf's place in the text, None where there is no tree and for the key path.
    `input_weight` is the most weight that an input spending so has, every part of it counted.
    """

    path: Path
    leaf: int | None
    input_weight: int


@dataclass(frozen=True)
class Descriptor:
    """A descriptor of public keys. Equal where the canonical text and the network are.

    `key` is the single or internal key, `conditions` what stands in wsh(), `tree` what in tr().
    """

    form: Form
    network: Network
    key: KeyExpression | None = None
    conditions: Conditions | None = None
    tree: "ConditionsTree | None" = None

    def __post_init__(self) -> None:
        for branch in range(self.branches):
            self.at(0, branch)  # what cannot be derived is refused now

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Descriptor):
            return NotImplemented
        return self.network is other.network and self.text == other.text

    def __hash__(self) -> int:
        return hash((self.network, self.text))

    def __str__(self) -> str:
        return self.text

    @cached_property
    def body(self) -> str:
        """The canonical text without its checksum."""
        parts = [self.key.text] if self.key is not None else []
        if self.conditions is not None:
            parts.append(self.conditions.text)
        if self.tree is not None:
            parts.append(_tree_text(self.tree))
        return f"{self.form.value}({','.join(parts)})" + ")" * self.form.value.count("(")

    @cached_property
    def text(self) -> str:
        """The canonical text with its checksum."""
        return f"{self.body}#{checksum(self.body)}"

    @cached_property
    def leaves(self) -> tuple[Conditions, ...]:
        """The conditions of the tree from left to right, or of wsh()."""
        if self.conditions is not None:
            return (self.conditions,)
        return () if self.tree is None else tuple(one for one, _ in _walk(self.tree))

    @cached_property
    def key_expressions(self) -> tuple[KeyExpression, ...]:
        """Every key expression in the order of the text."""
        own = () if self.key is None else (self.key,)
        return own + tuple(key for one in self.leaves for key in one.keys)

    @cached_property
    def is_ranged(self) -> bool:
        """Whether there is an output for every index."""
        return any(one.is_ranged for one in self.key_expressions)

    @cached_property
    def branches(self) -> int:
        """How many descriptors it stands for: two with <0;1>, to receive and for change."""
        return common_branches(self.key_expressions)

    @cached_property
    def paths(self) -> tuple[SpendingPath, ...]:
        """Every way to spend, the key path first. Refused where there are more than anyone judges.

        BIP341's point without a secret is no path; other internal keys are taken for somebody's.
        """
        return tuple(_paths(self))

    @cached_property
    def max_input_weight(self) -> int:
        """The most weight that an input can have, whichever way it spends."""
        return max(weight for _, weight, _ in _ways(self))

    def at(self, index: int, branch: int = 0) -> DerivedOutput:
        """The output at `index` of `branch`; DescriptorError where there is none."""
        if not 0 <= branch < self.branches:
            raise DescriptorError("branch", str(branch), f"from 0 to {self.branches - 1}")
        limit = HARDENED if self.is_ranged else 1
        if not 0 <= index < limit:
            raise DescriptorError("index", str(index), f"from 0 to {limit - 1}")
        if self.form is Form.TR:
            return self._taproot(branch, index)
        if self.conditions is not None:
            return self._witness_script(self.conditions, branch, index)
        return self._single_key(branch, index)

    def _public_key(self, branch: int, index: int) -> bytes:
        if self.key is None:
            raise DescriptorError("descriptor", f"{self.form.value} without a key", "a key")
        return self.key.public_key(branch, index)

    def _single_key(self, branch: int, index: int) -> DerivedOutput:
        key = self._public_key(branch, index)
        redeem_script = None
        script_pubkey = script.p2pkh(key) if self.form is Form.PKH else script.p2wpkh(key)
        if self.form is Form.SH_WPKH:
            redeem_script, script_pubkey = script_pubkey, script.p2sh(script_pubkey)
        return DerivedOutput(
            self.form,
            branch,
            index,
            script_pubkey,
            key=key,
            redeem_script=redeem_script,
            key_expression=self.key,
        )

    def _witness_script(self, conditions: Conditions, branch: int, index: int) -> DerivedOutput:
        part = _derive(conditions, branch, index)
        script_pubkey, redeem_script = script.p2wsh(part.content), None
        if self.form is Form.SH_WSH:
            redeem_script, script_pubkey = script_pubkey, script.p2sh(script_pubkey)
        return DerivedOutput(
            self.form, branch, index, script_pubkey, redeem_script=redeem_script, scripts=(part,)
        )

    def _taproot(self, branch: int, index: int) -> DerivedOutput:
        internal = self._public_key(branch, index)[1:]
        parts = tuple(_derive(one, branch, index) for one in self.leaves)
        tree = None
        if self.tree is not None:
            remaining = iter(parts)
            tree = _shape(self.tree, lambda _: next(remaining).leaf)
        output = TaprootOutput(internal, tree)
        return DerivedOutput(
            self.form,
            branch,
            index,
            output.script_pubkey,
            key=internal,
            scripts=parts,
            taproot=output,
            key_expression=self.key,
        )


def _derive(conditions: Conditions, branch: int, index: int) -> DerivedScript:
    keys = conditions.fill(branch, index)
    return DerivedScript(conditions, keys, conditions.miniscript.script(keys))


def _shape(tree: ConditionsTree, make: Callable[[Conditions], Leaf]) -> Tree:
    if isinstance(tree, Conditions):
        return make(tree)
    left = _shape(tree[0], make)
    return left, _shape(tree[1], make)


def _walk(tree: ConditionsTree, depth: int = 0) -> Iterator[tuple[Conditions, int]]:
    if depth > MAX_DEPTH:
        raise DescriptorError("tree", f"deeper than {MAX_DEPTH}", f"at most {MAX_DEPTH}")
    if isinstance(tree, Conditions):
        yield tree, depth
    else:
        for part in tree:
            yield from _walk(part, depth + 1)


def _tree_text(tree: ConditionsTree) -> str:
    if isinstance(tree, Conditions):
        return tree.text
    return f"{{{_tree_text(tree[0])},{_tree_text(tree[1])}}}"


def _weight(script_sig_bytes: int, elements: int, witness_bytes: int) -> int:
    """The weight of an input; the witness counts once, all else four times (BIP141)."""
    length = len(varint(script_sig_bytes)) + script_sig_bytes
    return INPUT_BASE_WEIGHT + 4 * length + len(varint(elements)) + witness_bytes


def _script_weight(conditions: Conditions, script_sig_bytes: int, control_bytes: int) -> int:
    """The weight of an input that runs the script in the costliest way."""
    miniscript = conditions.miniscript
    size = miniscript.script_size
    witness_bytes = (miniscript.max_witness_bytes or 0) + len(varint(size)) + size
    elements = (miniscript.max_stack_elements or 0) + 1
    if control_bytes:
        witness_bytes += len(varint(control_bytes)) + control_bytes
        elements += 1
    return _weight(script_sig_bytes, elements, witness_bytes)


def _is_unspendable(key: KeyExpression) -> bool:
    return isinstance(key, SingleKey) and key.key[1:] == UNSPENDABLE_KEY


def _ways(
    descriptor: Descriptor,
) -> Iterator[tuple[int | None, int, tuple[Path, ...] | Conditions]]:
    """Leaf, input weight and what may be done: by the key, and through each script."""
    form, key = descriptor.form, descriptor.key
    if key is not None and not _is_unspendable(key):
        witness = 1 + ECDSA_SIGNATURE_BYTES + 1 + _KEY_BYTES
        weight = {
            Form.PKH: _weight(witness, 0, 0),
            Form.WPKH: _weight(0, 2, witness),
            Form.SH_WPKH: _weight(1 + 22, 2, witness),
            Form.TR: _weight(0, 1, 1 + SCHNORR_SIGNATURE_BYTES),
        }[form]
        yield None, weight, (Path.of_key(key.text),)
    if descriptor.conditions is not None:
        script_sig_bytes = 1 + 34 if form is Form.SH_WSH else 0
        weight = _script_weight(descriptor.conditions, script_sig_bytes, 0)
        yield None, weight, descriptor.conditions
    if descriptor.tree is not None:
        for place, (conditions, depth) in enumerate(_walk(descriptor.tree)):
            weight = _script_weight(conditions, 0, _CONTROL_BYTES + _STEP_BYTES * depth)
            yield place, weight, conditions


def _paths(descriptor: Descriptor) -> Iterator[SpendingPath]:
    for leaf, weight, way in _ways(descriptor):
        paths = way.miniscript.paths if isinstance(way, Conditions) else way
        for path in paths:
            yield SpendingPath(path, leaf, weight)
