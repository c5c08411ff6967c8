"""Witnesses that satisfy an expression and that nobody else can change (BIP379, Satisfaction).

For every node the best way to satisfy and to dissatisfy it is built from those of its parts. Of two
ways that an outsider could take, neither is used; of the others, the smallest.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shared.bitcoin.errors import MiniscriptError
from shared.bitcoin.hashes import hash160, ripemd160, sha256, sha256d
from shared.bitcoin.miniscript.node import (
    HASHES,
    LOCK_TIME_THRESHOLD,
    SEQUENCE_DISABLE_FLAG,
    SEQUENCE_TIME_FLAG,
    SEQUENCE_VALUE_MASK,
    Fragment,
    Node,
    fold,
)
from shared.bitcoin.transaction import MAX_SEQUENCE

_HASH_FUNCTIONS: Final[dict[Fragment, Callable[[bytes], bytes]]] = {
    Fragment.SHA256: sha256,
    Fragment.HASH256: sha256d,
    Fragment.RIPEMD160: ripemd160,
    Fragment.HASH160: hash160,
}


@dataclass(frozen=True, slots=True)
class Available:
    """What a spend has to offer: signatures by public key, preimages by their digest, and the
    transaction's version, the input's sequence, the transaction's lock time.

    Keys are as the script pushes them; signatures end in their sighash byte where it has one.
    """

    signatures: Mapping[bytes, bytes] = field(default_factory=dict)
    preimages: Mapping[bytes, bytes] = field(default_factory=dict)
    sequence: int = MAX_SEQUENCE
    lock_time: int = 0
    version: int = 2

    def meets_older(self, lock: int) -> bool:
        """Whether CHECKSEQUENCEVERIFY passes (BIP112)."""
        sequence = self.sequence
        return (
            self.version >= 2
            and not sequence & SEQUENCE_DISABLE_FLAG
            and not (sequence ^ lock) & SEQUENCE_TIME_FLAG
            and sequence & SEQUENCE_VALUE_MASK >= lock & SEQUENCE_VALUE_MASK
        )

    def meets_after(self, lock: int) -> bool:
        """Whether CHECKLOCKTIMEVERIFY passes (BIP65)."""
        same_kind = (lock < LOCK_TIME_THRESHOLD) == (self.lock_time < LOCK_TIME_THRESHOLD)
        return same_kind and lock <= self.lock_time and self.sequence != MAX_SEQUENCE

    def preimage(self, fragment: Fragment, digest: bytes) -> bytes | None:
        """The preimage of a digest, None where it is not known; MiniscriptError for a false one."""
        preimage = self.preimages.get(digest)
        if preimage is None:
            return None
        if len(preimage) != 32 or _HASH_FUNCTIONS[fragment](preimage) != digest:
            raise MiniscriptError(
                f"preimage of {digest.hex()}",
                f"{len(preimage)} bytes that do not hash to it",
                f"32 bytes with that {fragment.value}",
            )
        return preimage


@dataclass(frozen=True, slots=True)
class Satisfaction:
    """A witness, bottom of the stack first, without script and control block.

    `needs_older` is the largest relative lock that it relies on (a BIP68 value), `needs_after` the
    largest absolute one; None where it relies on none.
    """

    witness: tuple[bytes, ...]
    needs_older: int | None = None
    needs_after: int | None = None


class _Way(NamedTuple):
    elements: tuple[bytes, ...]
    size: int
    signed: bool = False
    malleable: bool = False
    older: int = 0
    after: int = 0


class _Ways(NamedTuple):
    dissatisfy: _Way | None
    satisfy: _Way | None


_EMPTY: Final = _Way((), 0)
_ZERO: Final = _Way((b"",), 1)
_ONE: Final = _Way((b"\x01",), 2)
_WRONG_PREIMAGE: Final = _Way((bytes(32),), 33, malleable=True)


def _join(first: _Way | None, second: _Way | None) -> _Way | None:
    """`first` below `second` on the stack."""
    if first is None or second is None:
        return None
    if first is _EMPTY:
        return second
    if second is _EMPTY:
        return first
    return _Way(
        first.elements + second.elements,
        first.size + second.size,
        first.signed or second.signed,
        first.malleable or second.malleable,
        max(first.older, second.older),
        max(first.after, second.after),
    )


def _choose(first: _Way | None, second: _Way | None) -> _Way | None:
    """The way to take of two that exist both, as the algorithm of BIP379 has it."""
    if first is None or second is None:
        return first or second
    if first.signed != second.signed:
        return second if first.signed else first
    if not first.signed:
        first, second = first._replace(malleable=True), second._replace(malleable=True)
    elif first.malleable != second.malleable:
        return second if first.malleable else first
    return first if first.size <= second.size else second


def _overcomplete(way: _Way | None) -> _Way | None:
    """A way of which an outsider can turn a satisfied part into a dissatisfied one."""
    return None if way is None else way._replace(malleable=True)


@dataclass(frozen=True, slots=True)
class _Satisfier:
    keys: Mapping[str, bytes]
    available: Available

    def of(self, node: Node, parts: Sequence[_Ways]) -> _Ways:
        combined = _COMBINED.get(node.fragment)
        if combined is not None:
            return combined(*parts)
        return _LEAVES[node.fragment](self, node, parts)

    def signature(self, name: str) -> _Way | None:
        signature = self.available.signatures.get(self.key(name))
        return None if signature is None else _Way((signature,), len(signature) + 1, signed=True)

    def key(self, name: str) -> bytes:
        key = self.keys.get(name)
        if key is None:
            raise MiniscriptError(f"key {name[:80]}", "missing", "every key of the expression")
        return key

    def pk_k(self, node: Node, _parts: Sequence[_Ways]) -> _Ways:
        return _Ways(_ZERO, self.signature(node.keys[0]))

    def pk_h(self, node: Node, _parts: Sequence[_Ways]) -> _Ways:
        key = self.key(node.keys[0])
        pushed = _Way((key,), len(key) + 1)
        return _Ways(_join(_ZERO, pushed), _join(self.signature(node.keys[0]), pushed))

    def older(self, node: Node, _parts: Sequence[_Ways]) -> _Ways:
        met = self.available.meets_older(node.number)
        return _Ways(None, _Way((), 0, older=node.number) if met else None)

    def after(self, node: Node, _parts: Sequence[_Ways]) -> _Ways:
        met = self.available.meets_after(node.number)
        return _Ways(None, _Way((), 0, after=node.number) if met else None)

    def hash(self, node: Node, _parts: Sequence[_Ways]) -> _Ways:
        preimage = self.available.preimage(node.fragment, node.digest)
        return _Ways(_WRONG_PREIMAGE, None if preimage is None else _Way((preimage,), 33))

    def multi(self, node: Node, _parts: Sequence[_Ways]) -> _Ways:
        """The smallest signatures, in the order of their keys."""
        found = self._smallest(node)
        dissatisfied = _Way((b"",) * (node.number + 1), node.number + 1)
        if found is None:
            return _Ways(dissatisfied, None)
        elements = (b"", *[way.elements[0] for _, way in sorted(found.items())])
        size = 1 + sum(way.size for way in found.values())
        return _Ways(dissatisfied, _Way(elements, size, signed=True))

    def multi_a(self, node: Node, _parts: Sequence[_Ways]) -> _Ways:
        """One element a key, the first key's on top."""
        count = len(node.keys)
        found = self._smallest(node)
        dissatisfied = _Way((b"",) * count, count)
        if found is None:
            return _Ways(dissatisfied, None)
        elements = tuple(
            found[index].elements[0] if index in found else b"" for index in reversed(range(count))
        )
        size = sum(len(one) + 1 for one in elements)
        return _Ways(dissatisfied, _Way(elements, size, signed=True))

    def _smallest(self, node: Node) -> dict[int, _Way] | None:
        """As many signatures as the threshold asks for, by the key's index."""
        signed = [
            (way.size, index, way)
            for index, name in enumerate(node.keys)
            if (way := self.signature(name)) is not None
        ]
        if len(signed) < node.number:
            return None
        signed.sort(key=lambda one: one[:2])
        return {index: way for _, index, way in signed[: node.number]}

    def thresh(self, node: Node, parts: Sequence[_Ways]) -> _Ways:
        """Over the parts from the last to the first: the best way to satisfy 0, 1, ... of them."""
        best: list[_Way | None] = [_EMPTY]
        for part in reversed(parts):
            best = [
                _choose(
                    _join(best[count], part.dissatisfy) if count < len(best) else None,
                    _join(best[count - 1], part.satisfy) if count else None,
                )
                for count in range(len(best) + 1)
            ]
        dissatisfied: _Way | None = best[0]
        for count in range(1, len(best)):
            if count != node.number:
                dissatisfied = _choose(dissatisfied, _overcomplete(best[count]))
        return _Ways(dissatisfied, best[node.number])


def _same(x: _Ways) -> _Ways:
    return x


def _verify(x: _Ways) -> _Ways:
    return _Ways(None, x.satisfy)


def _dup_if(x: _Ways) -> _Ways:
    return _Ways(_ZERO, _join(x.satisfy, _ONE))


def _nonzero(x: _Ways) -> _Ways:
    """j: a dissatisfaction of X with something on top would be an outsider's second way."""
    other = x.dissatisfy
    zero = _ZERO._replace(malleable=True) if other is not None and not other.signed else _ZERO
    return _Ways(zero, x.satisfy)


def _and_v(x: _Ways, y: _Ways) -> _Ways:
    return _Ways(_join(y.dissatisfy, x.satisfy), _join(y.satisfy, x.satisfy))


def _and_b(x: _Ways, y: _Ways) -> _Ways:
    dissatisfied = _choose(
        _choose(_join(y.dissatisfy, x.dissatisfy), _overcomplete(_join(y.satisfy, x.dissatisfy))),
        _overcomplete(_join(y.dissatisfy, x.satisfy)),
    )
    return _Ways(dissatisfied, _join(y.satisfy, x.satisfy))


def _or_b(x: _Ways, z: _Ways) -> _Ways:
    satisfied = _choose(
        _choose(_join(z.dissatisfy, x.satisfy), _join(z.satisfy, x.dissatisfy)),
        _overcomplete(_join(z.satisfy, x.satisfy)),
    )
    return _Ways(_join(z.dissatisfy, x.dissatisfy), satisfied)


def _or_c(x: _Ways, z: _Ways) -> _Ways:
    return _Ways(None, _choose(x.satisfy, _join(z.satisfy, x.dissatisfy)))


def _or_d(x: _Ways, z: _Ways) -> _Ways:
    return _Ways(
        _join(z.dissatisfy, x.dissatisfy),
        _choose(x.satisfy, _join(z.satisfy, x.dissatisfy)),
    )


def _or_i(x: _Ways, z: _Ways) -> _Ways:
    return _Ways(
        _choose(_join(x.dissatisfy, _ONE), _join(z.dissatisfy, _ZERO)),
        _choose(_join(x.satisfy, _ONE), _join(z.satisfy, _ZERO)),
    )


def _andor(x: _Ways, y: _Ways, z: _Ways) -> _Ways:
    return _Ways(
        _choose(_join(y.dissatisfy, x.satisfy), _join(z.dissatisfy, x.dissatisfy)),
        _choose(_join(y.satisfy, x.satisfy), _join(z.satisfy, x.dissatisfy)),
    )


_COMBINED: Final[dict[Fragment, Callable[..., _Ways]]] = {
    Fragment.FALSE: lambda: _Ways(_EMPTY, None),
    Fragment.TRUE: lambda: _Ways(None, _EMPTY),
    Fragment.ANDOR: _andor,
    Fragment.AND_V: _and_v,
    Fragment.AND_B: _and_b,
    Fragment.OR_B: _or_b,
    Fragment.OR_C: _or_c,
    Fragment.OR_D: _or_d,
    Fragment.OR_I: _or_i,
    Fragment.WRAP_A: _same,
    Fragment.WRAP_S: _same,
    Fragment.WRAP_C: _same,
    Fragment.WRAP_N: _same,
    Fragment.WRAP_D: _dup_if,
    Fragment.WRAP_V: _verify,
    Fragment.WRAP_J: _nonzero,
}
_LEAVES: Final[dict[Fragment, Callable[[_Satisfier, Node, Sequence[_Ways]], _Ways]]] = {
    Fragment.PK_K: _Satisfier.pk_k,
    Fragment.PK_H: _Satisfier.pk_h,
    Fragment.OLDER: _Satisfier.older,
    Fragment.AFTER: _Satisfier.after,
    **dict.fromkeys(HASHES, _Satisfier.hash),
    Fragment.MULTI: _Satisfier.multi,
    Fragment.MULTI_A: _Satisfier.multi_a,
    Fragment.THRESH: _Satisfier.thresh,
}


def satisfy(
    order: Sequence[Node], keys: Mapping[str, bytes], available: Available
) -> Satisfaction | None:
    """The non-malleable witness for what is available, None where there is none.

    `order` lists the expression's nodes, parts first; `keys` has the bytes of every key expression.
    """
    satisfier = _Satisfier(keys, available)
    way = fold(order, satisfier.of).satisfy
    if way is None or way.malleable or not way.signed:
        return None
    return Satisfaction(way.elements, way.older or None, way.after or None)
