"""A whole expression: what it means, whether it is safe, its script and its witnesses."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from shared.bitcoin.errors import MiniscriptError
from shared.bitcoin.miniscript.bounds import Bounds, bounds_of
from shared.bitcoin.miniscript.context import (
    MAX_EXECUTION_STACK,
    MAX_OPS,
    MAX_P2WSH_STACK,
    Context,
)
from shared.bitcoin.miniscript.emission import ScriptTemplate, template_of
from shared.bitcoin.miniscript.node import (
    MULTISIGS,
    Fragment,
    Node,
    is_read_whole,
    postorder,
    walk,
)
from shared.bitcoin.miniscript.parser import KeyReader, parse_node
from shared.bitcoin.miniscript.paths import Path, paths_of
from shared.bitcoin.miniscript.properties import Base, Type
from shared.bitcoin.miniscript.satisfaction import Available, Satisfaction, satisfy
from shared.bitcoin.miniscript.text import text_of


@dataclass(frozen=True)
class Miniscript:
    """An expression that is valid as a whole script: MiniscriptError unless its type is B.

    Equal where the canonical text and the context are. Whether it is safe to pay to is another
    question: `problems` answers it.
    """

    root: Node

    def __post_init__(self) -> None:
        if self.root.type.base is not Base.B:
            raise MiniscriptError("miniscript", f"type {self.root.type}", "type B at the top")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Miniscript):
            return NotImplemented
        return self.context is other.context and str(self) == str(other)

    def __hash__(self) -> int:
        return hash((self.context, str(self)))

    def __str__(self) -> str:
        return self.text

    @property
    def context(self) -> Context:
        """P2WSH or tapscript."""
        return self.root.context

    @property
    def type(self) -> Type:
        """The type of the whole."""
        return self.root.type

    @cached_property
    def text(self) -> str:
        """The canonical text."""
        return text_of(self.root)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Every key expression from left to right, repeated ones too."""
        return tuple(key for node in walk(self.root) for key in node.keys)

    @cached_property
    def template(self) -> ScriptTemplate:
        """The script with slots for its keys."""
        return template_of(self.root)

    @cached_property
    def bounds(self) -> Bounds:
        """The largest opcode count, stack and witness of a satisfaction."""
        return bounds_of(self._order)

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """Every way to spend."""
        return paths_of(self._order)

    @cached_property
    def _order(self) -> tuple[Node, ...]:
        return postorder(self.root)

    @property
    def script_size(self) -> int:
        """Bytes of the script."""
        return self.template.size

    @property
    def max_ops(self) -> int | None:
        """Opcodes and multisig keys of the costliest satisfaction; None where none exists."""
        cost = self.bounds.satisfied
        return None if cost is None else self.bounds.ops + cost.multisig_keys

    @property
    def max_stack_elements(self) -> int | None:
        """Elements of the longest witness, without the script."""
        cost = self.bounds.satisfied
        return None if cost is None else cost.trace.net + 1

    @property
    def max_execution_stack(self) -> int | None:
        """Elements that the stack can reach while the script runs."""
        cost = self.bounds.satisfied
        return None if cost is None else cost.trace.peak + 1

    @property
    def max_witness_bytes(self) -> int | None:
        """Bytes of the largest satisfaction: every element with its length, without the script."""
        cost = self.bounds.satisfied
        return None if cost is None else cost.witness_bytes

    @cached_property
    def signature_checks(self) -> int:
        """Keys that the script checks signatures of: what a P2WSH input counts as sigops (BIP141).

        In a tapscript each that is run takes 50 of its budget, which its signature pays (BIP342).
        """
        return sum(
            1 if node.fragment is Fragment.WRAP_C else len(node.keys)
            for node in self._order
            if node.fragment is Fragment.WRAP_C or node.fragment in MULTISIGS
        )

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """Why nobody should pay to it, in words; empty when it is sane (BIP379).

        Stricter than BIP379 in two points: something has to satisfy it, and consensus has to read
        the whole of each relative lock. Keys are told apart by their text; a descriptor compares
        what they derive to.
        """
        repeated = [key for key, count in Counter(self.keys).items() if count > 1]
        own = {
            "someone else can change its witness": not self.type.m,
            "it can be spent without a signature": not self.type.s,
            "one path needs a height and a time of the same lock": not self.type.k,
            "nothing satisfies it": self.bounds.satisfied is None,
            **{f"the key {key[:80]} appears more than once": True for key in repeated},
            **{f"older({one}) waits less than it says": True for one in self._cut_locks},
        }
        return tuple(text for text, holds in own.items() if holds) + self._exceeded()

    @property
    def _cut_locks(self) -> list[int]:
        return [
            node.number
            for node in self._order
            if node.fragment is Fragment.OLDER and not is_read_whole(node.number)
        ]

    def _exceeded(self) -> tuple[str, ...]:
        size_limit = self.context.max_script_bytes
        limits = [("bytes of script", self.script_size, size_limit)]
        if self.context is Context.P2WSH:
            limits += [
                ("opcodes", self.max_ops or 0, MAX_OPS),
                ("witness elements", self.max_stack_elements or 0, MAX_P2WSH_STACK),
            ]
        else:
            peak = self.max_execution_stack or 0
            limits.append(("elements on the stack", peak, MAX_EXECUTION_STACK))
        return tuple(
            f"{value} {what}, at most {limit} are allowed"
            for what, value, limit in limits
            if value > limit
        )

    @property
    def sane(self) -> bool:
        """Whether it can be paid to: see `problems`."""
        return not self.problems

    def require_sane(self) -> "Miniscript":
        """Itself, or MiniscriptError with the problems."""
        if self.problems:
            raise MiniscriptError("miniscript", "; ".join(self.problems), "a sane expression")
        return self

    def script(self, keys: Mapping[str, bytes]) -> bytes:
        """The script with these keys: compressed in P2WSH, x-only in tapscript."""
        return self.template.fill(keys)

    def satisfy(self, keys: Mapping[str, bytes], available: Available) -> Satisfaction | None:
        """The smallest witness that nobody else can change; None while something is missing."""
        return satisfy(self._order, keys, available)


def parse(text: str, context: Context, read_key: KeyReader = str) -> Miniscript:
    """The expression that `text` is; MiniscriptError names the place and what may stand there.

    Valid, not necessarily sane: call `require_sane` before paying to it. `read_key` is given each
    key expression and gives the text that it is known by.
    """
    return Miniscript(parse_node(text, context, read_key))
