"""How large a satisfaction can get: opcodes, stack, witness bytes (BIP379, Resource Limits).

Every bound is over all non-malleable satisfactions; None stands where there is none at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from shared.bitcoin.miniscript.node import HASHES, Fragment, Node, fold


@dataclass(frozen=True, slots=True)
class Trace:
    """What running some opcodes does to the stack: `net` elements fewer at the end than at the
    start, and at its highest `peak` more than at the end."""

    net: int
    peak: int


@dataclass(frozen=True, slots=True)
class Cost:
    """The largest of each over the ways to satisfy, or to dissatisfy: None where none exists."""

    multisig_keys: int
    witness_bytes: int
    trace: Trace


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of one expression; `ops` counts the opcodes that are there whatever happens."""

    ops: int
    satisfied: Cost | None
    dissatisfied: Cost | None


def _then(*traces: Trace) -> Trace:
    net, peak = 0, 0
    for one in traces:
        peak = max(one.peak, one.net + peak)
        net += one.net
    return Trace(net, peak)


def _all(*costs: Cost | None) -> Cost | None:
    """One after the other, in the order in which they run."""
    keys, size, traces = 0, 0, []
    for one in costs:
        if one is None:
            return None
        keys += one.multisig_keys
        size += one.witness_bytes
        traces.append(one.trace)
    return Cost(keys, size, _then(*traces))


def _any(*costs: Cost | None) -> Cost | None:
    known = [one for one in costs if one is not None]
    if not known:
        return None
    trace = Trace(max(one.trace.net for one in known), max(one.trace.peak for one in known))
    return Cost(
        max(one.multisig_keys for one in known), max(one.witness_bytes for one in known), trace
    )


def _opcodes(net: int, peak: int, witness_bytes: int = 0) -> Cost:
    return Cost(0, witness_bytes, Trace(net, peak))


_NOTHING: Final = _opcodes(0, 0)
_PUSH: Final = _opcodes(-1, 0)
_POP: Final = _opcodes(1, 1)  # IF, NOTIF, VERIFY, EQUAL, CHECKSIG, BOOLAND, BOOLOR, ADD
_IF_ZERO: Final = _opcodes(1, 1, 1)  # IF fed with an empty element
_IF_ONE: Final = _opcodes(1, 1, 2)  # IF fed with a 1
_PREIMAGE: Final = _opcodes(0, 2, 33)  # SIZE and its comparison, the hash and its comparison


def _constant(node: Node, _parts: Sequence[Bounds]) -> Bounds:
    if node.fragment is Fragment.FALSE:
        return Bounds(0, None, _PUSH)
    return Bounds(0, _PUSH, None)


def _lock(_node: Node, _parts: Sequence[Bounds]) -> Bounds:
    return Bounds(1, _PUSH, None)


def _hash(_node: Node, _parts: Sequence[Bounds]) -> Bounds:
    return Bounds(4, _PREIMAGE, None)


def _key(node: Node, _parts: Sequence[Bounds]) -> Bounds:
    signature = node.context.signature_bytes + 1
    return Bounds(0, _opcodes(-1, 0, signature), _opcodes(-1, 0, 1))


def _key_hash(node: Node, _parts: Sequence[Bounds]) -> Bounds:
    key, signature = node.context.key_bytes + 1, node.context.signature_bytes + 1
    return Bounds(3, _opcodes(0, 2, key + signature), _opcodes(0, 2, key + 1))


def _multi(node: Node, _parts: Sequence[Bounds]) -> Bounds:
    keys, required = len(node.keys), node.number
    trace = Trace(required, required + keys + 2)
    signatures = required * (node.context.signature_bytes + 1)
    return Bounds(1, Cost(keys, signatures + 1, trace), Cost(keys, required + 1, trace))


def _multi_a(node: Node, _parts: Sequence[Bounds]) -> Bounds:
    keys, required = len(node.keys), node.number
    signatures = required * (node.context.signature_bytes + 1) + keys - required
    return Bounds(keys + 1, _opcodes(keys - 1, keys, signatures), _opcodes(keys - 1, keys, keys))


def _andor(_node: Node, parts: Sequence[Bounds]) -> Bounds:
    x, y, z = parts
    return Bounds(
        3 + x.ops + y.ops + z.ops,
        _any(_all(x.satisfied, _POP, y.satisfied), _all(x.dissatisfied, _POP, z.satisfied)),
        _all(x.dissatisfied, _POP, z.dissatisfied),
    )


def _and_v(_node: Node, parts: Sequence[Bounds]) -> Bounds:
    x, y = parts
    return Bounds(x.ops + y.ops, _all(x.satisfied, y.satisfied), None)


def _and_b(_node: Node, parts: Sequence[Bounds]) -> Bounds:
    x, y = parts
    return Bounds(
        1 + x.ops + y.ops,
        _all(x.satisfied, y.satisfied, _POP),
        _all(x.dissatisfied, y.dissatisfied, _POP),
    )


def _or_b(_node: Node, parts: Sequence[Bounds]) -> Bounds:
    x, z = parts
    either = _any(_all(x.satisfied, z.dissatisfied), _all(x.dissatisfied, z.satisfied))
    return Bounds(1 + x.ops + z.ops, _all(either, _POP), _all(x.dissatisfied, z.dissatisfied, _POP))


def _or_c(_node: Node, parts: Sequence[Bounds]) -> Bounds:
    x, z = parts
    satisfied = _any(_all(x.satisfied, _POP), _all(x.dissatisfied, _POP, z.satisfied))
    return Bounds(2 + x.ops + z.ops, satisfied, None)


def _or_d(_node: Node, parts: Sequence[Bounds]) -> Bounds:
    x, z = parts
    return Bounds(
        3 + x.ops + z.ops,
        _any(_all(x.satisfied, _PUSH, _POP), _all(x.dissatisfied, _POP, z.satisfied)),
        _all(x.dissatisfied, _POP, z.dissatisfied),
    )


def _or_i(_node: Node, parts: Sequence[Bounds]) -> Bounds:
    x, z = parts
    return Bounds(
        3 + x.ops + z.ops,
        _any(_all(_IF_ONE, x.satisfied), _all(_IF_ZERO, z.satisfied)),
        _any(_all(_IF_ONE, x.dissatisfied), _all(_IF_ZERO, z.dissatisfied)),
    )


def _thresh(node: Node, parts: Sequence[Bounds]) -> Bounds:
    """Over the parts from left to right: the cost of having satisfied 0, 1, ... of them so far."""
    reached: list[Cost | None] = [_NOTHING]
    for index, part in enumerate(parts):
        add = _POP if index else _NOTHING
        reached = [
            _all(
                _any(
                    _all(reached[count], part.dissatisfied) if count < len(reached) else None,
                    _all(reached[count - 1], part.satisfied) if count else None,
                ),
                add,
            )
            for count in range(min(len(reached), node.number) + 1)
        ]
    ops = sum(part.ops for part in parts) + len(parts)
    end = (_PUSH, _POP)
    return Bounds(ops, _all(reached[node.number], *end), _all(reached[0], *end))


def _same(extra_ops: int) -> Callable[[Node, Sequence[Bounds]], Bounds]:
    def rule(_node: Node, parts: Sequence[Bounds]) -> Bounds:
        (x,) = parts
        return Bounds(x.ops + extra_ops, x.satisfied, x.dissatisfied)

    return rule


def _check(_node: Node, parts: Sequence[Bounds]) -> Bounds:
    (x,) = parts
    return Bounds(x.ops + 1, _all(x.satisfied, _POP), _all(x.dissatisfied, _POP))


def _dup_if(_node: Node, parts: Sequence[Bounds]) -> Bounds:
    (x,) = parts
    return Bounds(x.ops + 3, _all(_PUSH, _IF_ONE, x.satisfied), _all(_PUSH, _IF_ZERO))


def _verify(node: Node, parts: Sequence[Bounds]) -> Bounds:
    (x,) = parts
    return Bounds(x.ops + (not node.subs[0].verifiable), _all(x.satisfied, _POP), None)


def _nonzero(_node: Node, parts: Sequence[Bounds]) -> Bounds:
    (x,) = parts
    return Bounds(x.ops + 4, _all(_PUSH, _POP, x.satisfied), _all(_PUSH, _IF_ZERO))


_RULES: Final[dict[Fragment, Callable[[Node, Sequence[Bounds]], Bounds]]] = {
    Fragment.FALSE: _constant,
    Fragment.TRUE: _constant,
    Fragment.PK_K: _key,
    Fragment.PK_H: _key_hash,
    Fragment.OLDER: _lock,
    Fragment.AFTER: _lock,
    **dict.fromkeys(HASHES, _hash),
    Fragment.ANDOR: _andor,
    Fragment.AND_V: _and_v,
    Fragment.AND_B: _and_b,
    Fragment.OR_B: _or_b,
    Fragment.OR_C: _or_c,
    Fragment.OR_D: _or_d,
    Fragment.OR_I: _or_i,
    Fragment.THRESH: _thresh,
    Fragment.MULTI: _multi,
    Fragment.MULTI_A: _multi_a,
    Fragment.WRAP_A: _same(2),
    Fragment.WRAP_S: _same(1),
    Fragment.WRAP_N: _same(1),
    Fragment.WRAP_C: _check,
    Fragment.WRAP_D: _dup_if,
    Fragment.WRAP_V: _verify,
    Fragment.WRAP_J: _nonzero,
}


def bounds_of(order: Sequence[Node]) -> Bounds:
    """The bounds of the expression whose nodes `order` lists, parts first."""
    return fold(order, lambda node, parts: _RULES[node.fragment](node, parts))
