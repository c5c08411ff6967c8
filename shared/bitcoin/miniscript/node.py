"""The tree of a miniscript: fragments, and nodes that know their type (BIP379)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeVar

from shared.bitcoin.errors import MiniscriptError
from shared.bitcoin.miniscript import properties
from shared.bitcoin.miniscript.context import MAX_MULTI_A_KEYS, MAX_MULTI_KEYS, Context
from shared.bitcoin.miniscript.properties import Base, Lock, Type

LOCK_TIME_THRESHOLD: Final = 500_000_000
"""An absolute lock from here on is a time in seconds since the epoch, below a height (BIP65)."""
SEQUENCE_TIME_FLAG: Final = 1 << 22
"""A relative lock with this bit counts units of 512 seconds, without it blocks (BIP68)."""
SEQUENCE_VALUE_MASK: Final = 0xFFFF
SEQUENCE_DISABLE_FLAG: Final = 1 << 31
MAX_LOCK: Final = 2**31 - 1
MAX_THRESHOLD_PARTS: Final = 200
"""Parts of one thresh(); the work that they cause grows with their square."""

Result = TypeVar("Result")


class Fragment(Enum):
    """A fragment by the name that BIP379 writes it with; wrappers have a colon."""

    FALSE = "0"
    TRUE = "1"
    PK_K = "pk_k"
    PK_H = "pk_h"
    OLDER = "older"
    AFTER = "after"
    SHA256 = "sha256"
    HASH256 = "hash256"
    RIPEMD160 = "ripemd160"
    HASH160 = "hash160"
    ANDOR = "andor"
    AND_V = "and_v"
    AND_B = "and_b"
    OR_B = "or_b"
    OR_C = "or_c"
    OR_D = "or_d"
    OR_I = "or_i"
    THRESH = "thresh"
    MULTI = "multi"
    MULTI_A = "multi_a"
    WRAP_A = "a:"
    WRAP_S = "s:"
    WRAP_C = "c:"
    WRAP_D = "d:"
    WRAP_V = "v:"
    WRAP_J = "j:"
    WRAP_N = "n:"


HASHES: Final = {
    Fragment.SHA256: 32,
    Fragment.HASH256: 32,
    Fragment.RIPEMD160: 20,
    Fragment.HASH160: 20,
}
"""The hash fragments, with the bytes of their digest."""
WRAPPERS: Final = frozenset(one for one in Fragment if one.value.endswith(":"))
MULTISIGS: Final = frozenset((Fragment.MULTI, Fragment.MULTI_A))
_ENDS_IN_VERIFIABLE: Final = frozenset((*HASHES, *MULTISIGS, Fragment.WRAP_C, Fragment.THRESH))
_KEY_TYPES: Final = {
    Fragment.PK_K: Type(Base.K, o=True, n=True, d=True, u=True, s=True, e=True),
    Fragment.PK_H: Type(Base.K, n=True, d=True, u=True, s=True, e=True),
    Fragment.MULTI: Type(Base.B, n=True, d=True, u=True, s=True, e=True),
    Fragment.MULTI_A: Type(Base.B, d=True, u=True, s=True, e=True),
}
_HASH_TYPE: Final = Type(Base.B, o=True, n=True, d=True, u=True)
_CONSTANT_TYPES: Final = {
    Fragment.FALSE: Type(Base.B, z=True, d=True, u=True, s=True, e=True),
    Fragment.TRUE: Type(Base.B, z=True, u=True, f=True),
}
_COMBINED: Final[dict[Fragment, Callable[..., Type]]] = {
    Fragment.ANDOR: properties.andor,
    Fragment.AND_V: properties.and_v,
    Fragment.AND_B: properties.and_b,
    Fragment.OR_B: properties.or_b,
    Fragment.OR_C: properties.or_c,
    Fragment.OR_D: properties.or_d,
    Fragment.OR_I: properties.or_i,
    Fragment.WRAP_A: properties.wrap_alt,
    Fragment.WRAP_S: properties.wrap_swap,
    Fragment.WRAP_C: properties.wrap_check,
    Fragment.WRAP_V: properties.wrap_verify,
    Fragment.WRAP_J: properties.wrap_nonzero,
    Fragment.WRAP_N: properties.wrap_not_zero,
}
_ARITY: Final = {
    Fragment.ANDOR: 3,
    **dict.fromkeys(
        (
            Fragment.AND_V,
            Fragment.AND_B,
            Fragment.OR_B,
            Fragment.OR_C,
            Fragment.OR_D,
            Fragment.OR_I,
        ),
        2,
    ),
    **dict.fromkeys(WRAPPERS, 1),
}


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One fragment with its arguments; MiniscriptError unless its shape and type are right.

    `keys` are key expressions as text, which a caller resolves; `number` is the threshold or the
    lock; `digest` the hash asked for. `type` is computed once, from the parts' types.
    """

    fragment: Fragment
    context: Context
    subs: tuple["Node", ...] = ()
    keys: tuple[str, ...] = ()
    number: int = 0
    digest: bytes = b""
    type: Type = field(init=False)
    verifiable: bool = field(init=False)
    """Whether its script ends in an opcode that has a VERIFY form, which v: then uses."""

    def __post_init__(self) -> None:
        _check_shape(self)
        object.__setattr__(self, "type", _type_of(self))
        ends = self.fragment in _ENDS_IN_VERIFIABLE or (
            self.fragment in (Fragment.AND_V, Fragment.WRAP_S) and self.subs[-1].verifiable
        )
        object.__setattr__(self, "verifiable", ends)

    def __repr__(self) -> str:
        return f"<{self.fragment.value} {self.type}>"


def postorder(root: Node) -> tuple[Node, ...]:
    """Every node, each after its parts, these from left to right."""
    order: list[Node] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        order.append(node)
        waiting.extend(node.subs)
    return tuple(reversed(order))


def fold(order: Sequence[Node], combine: Callable[[Node, Sequence[Result]], Result]) -> Result:
    """What `combine` makes of the root, given what it made of each node's parts.

    Without recursion, since an expression nests as deeply as its text is long.
    """
    results: list[Result] = []
    for node in order:
        parts = len(node.subs)
        if parts:
            made = combine(node, results[-parts:])
            del results[-parts:]
            results.append(made)
        else:
            results.append(combine(node, ()))
    return results[0]


def walk(root: Node) -> Iterator[Node]:
    """Every node from left to right, each before its parts."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.subs))


def older_kind(number: int) -> Lock:
    """Whether a relative lock counts blocks or time."""
    return Lock.OLDER_TIME if number & SEQUENCE_TIME_FLAG else Lock.OLDER_BLOCKS


def is_read_whole(number: int) -> bool:
    """Whether consensus reads all of a relative lock, and it waits at all (BIP112, BIP68).

    It ignores every bit but the flag and the lowest 16: older(65536) is no lock.
    """
    value = number & SEQUENCE_VALUE_MASK
    return value > 0 and number == value | number & SEQUENCE_TIME_FLAG


def after_kind(number: int) -> Lock:
    """Whether an absolute lock is a height or a time."""
    return Lock.AFTER_TIME if number >= LOCK_TIME_THRESHOLD else Lock.AFTER_HEIGHT


def _type_of(node: Node) -> Type:
    fragment = node.fragment
    if fragment in _KEY_TYPES:
        return _KEY_TYPES[fragment]
    if fragment in HASHES:
        return _HASH_TYPE
    if fragment in _CONSTANT_TYPES:
        return _CONSTANT_TYPES[fragment]
    if fragment is Fragment.OLDER:
        return Type(Base.B, z=True, f=True, locks=older_kind(node.number))
    if fragment is Fragment.AFTER:
        return Type(Base.B, z=True, f=True, locks=after_kind(node.number))
    if fragment is Fragment.THRESH:
        return properties.thresh(node.number, [one.type for one in node.subs])
    if fragment is Fragment.WRAP_D:
        return properties.wrap_dup_if(node.subs[0].type, unit=node.context is Context.TAPSCRIPT)
    return _COMBINED[fragment](*[one.type for one in node.subs])


def _check_shape(node: Node) -> None:
    fragment = node.fragment
    if fragment in MULTISIGS:
        _check_multisig(node)
    elif fragment is Fragment.THRESH:
        _check(
            node,
            "a threshold from 1 to the number of parts",
            holds=1 <= node.number <= len(node.subs),
        )
    elif fragment in (Fragment.OLDER, Fragment.AFTER):
        _check(node, f"a lock from 1 to {MAX_LOCK}", holds=1 <= node.number <= MAX_LOCK)
    elif fragment in HASHES:
        _check(node, f"{HASHES[fragment]} bytes in hex", holds=len(node.digest) == HASHES[fragment])
    elif fragment in (Fragment.PK_K, Fragment.PK_H):
        _check(node, "one key", holds=len(node.keys) == 1)
    else:
        wanted = _ARITY.get(fragment, 0)
        _check(node, f"{wanted} arguments", holds=len(node.subs) == wanted)


def _check_multisig(node: Node) -> None:
    in_tapscript = node.fragment is Fragment.MULTI_A
    _check(
        node,
        "multi in P2WSH, multi_a in tapscript",
        holds=(node.context is Context.TAPSCRIPT) == in_tapscript,
    )
    limit = MAX_MULTI_A_KEYS if in_tapscript else MAX_MULTI_KEYS
    _check(node, f"1 to {limit} keys", holds=1 <= len(node.keys) <= limit)
    _check(
        node, "a threshold from 1 to the number of keys", holds=1 <= node.number <= len(node.keys)
    )


def _check(node: Node, allowed: str, *, holds: bool) -> None:
    if not holds:
        given = f"{node.fragment.value} with {node.number}, {len(node.keys)} keys, "
        raise MiniscriptError(
            "miniscript",
            f"{given}{len(node.subs)} parts, {len(node.digest)} bytes of hash",
            allowed,
        )
