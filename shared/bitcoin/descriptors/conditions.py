"""A miniscript with the keys that its key expressions derive: what stands in wsh() or in a leaf."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from shared.bitcoin.descriptors.key_expressions import (
    DerivedKey,
    KeyExpression,
    common_branches,
    parse_key,
)
from shared.bitcoin.errors import DescriptorError
from shared.bitcoin.miniscript import Context, Fragment, Miniscript
from shared.bitcoin.miniscript import parse as parse_miniscript
from shared.bitcoin.networks import Network

_SORTED: Final = "sorted"
_MULTISIGS: Final = {Context.P2WSH: "sortedmulti(", Context.TAPSCRIPT: "sortedmulti_a("}


@dataclass(frozen=True)
class Conditions:
    """A sane miniscript and its key expressions, in the order of its text.

    With `is_sorted` it is one multisig whose keys are put in order after derivation (BIP383,
    BIP387). DescriptorError where one key appears twice.
    """

    miniscript: Miniscript
    keys: tuple[KeyExpression, ...]
    is_sorted: bool = False

    def __post_init__(self) -> None:
        self.miniscript.require_sane()
        for branch in range(self.branches):
            derived = list(self.fill(branch, 0).values())
            if len(set(derived)) != len(derived):
                raise DescriptorError(
                    "keys", f"one key twice in {self.text[:80]}", "different keys"
                )

    @cached_property
    def text(self) -> str:
        """The canonical text."""
        return (_SORTED if self.is_sorted else "") + self.miniscript.text

    @cached_property
    def branches(self) -> int:
        """The alternatives of its keys' multipath steps, 1 without one."""
        return common_branches(self.keys)

    def fill(self, branch: int, index: int) -> dict[str, bytes]:
        """The bytes that stand for each key expression at this place."""
        start = 0 if self.miniscript.context is Context.P2WSH else 1
        keys = [one.public_key(branch, index)[start:] for one in self.keys]
        if self.is_sorted:
            keys.sort()
        return dict(zip(self.miniscript.keys, keys, strict=True))

    def derive(self, branch: int, index: int) -> tuple[DerivedKey, ...]:
        """The keys at this place with their origins."""
        return tuple(one.derive(branch, index) for one in self.keys)


def parse_conditions(text: str, context: Context, network: Network) -> Conditions:
    """A miniscript, or sortedmulti() in P2WSH, sortedmulti_a() in tapscript."""
    expressions: dict[str, KeyExpression] = {}

    def read_key(key: str) -> str:
        expression = parse_key(key, network, is_x_only=context is Context.TAPSCRIPT)
        expressions[expression.text] = expression
        return expression.text

    is_sorted = text.startswith(_MULTISIGS[context])
    miniscript = parse_miniscript(
        text.removeprefix(_SORTED) if is_sorted else text, context, read_key
    )
    if is_sorted and miniscript.root.fragment not in (Fragment.MULTI, Fragment.MULTI_A):
        raise DescriptorError("descriptor", text[:60], "nothing around sortedmulti")
    keys = tuple(expressions[key] for key in miniscript.keys)
    return Conditions(miniscript, keys, is_sorted)
