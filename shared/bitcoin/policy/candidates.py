"""What the compiler chooses among: miniscripts with their type and what they cost.

A candidate's cost is in witness bytes: its script, and what satisfying or dissatisfying it puts on
the stack. Of those that can do the same, only the cheapest is kept.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from shared.bitcoin.miniscript import Base, Context, Fragment, Node

_ROUNDS: Final = 5
"""Wrappers that are tried on top of one another: `altv:` has the most that any part needs."""


@dataclass(frozen=True, slots=True)
class Odds:
    """How likely it is that the part is satisfied, and that it is dissatisfied."""

    satisfied: float
    dissatisfied: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A miniscript, the bytes of its script, and of the witness that satisfies it or does not."""

    node: Node
    size: float
    satisfy: float
    dissatisfy: float | None

    def cost(self, odds: Odds) -> float:
        """The expected bytes."""
        failing = odds.dissatisfied * (self.dissatisfy or 0)
        return self.size + odds.satisfied * self.satisfy + failing

    def serves(self, odds: Odds) -> bool:
        """Whether it can be dissatisfied where it will have to be."""
        return self.dissatisfy is not None or not odds.dissatisfied


def _abilities(node: Node) -> tuple[bool, ...]:
    """What a parent can ask for; one candidate stands in for another that has no more of them."""
    own = node.type
    return (own.z, own.o, own.n, own.d, own.u, own.s, own.f, own.e, node.verifiable)


Key: TypeAlias = tuple[Base, tuple[bool, ...]]


class Choice:
    """The cheapest candidates of every ability, for given odds."""

    def __init__(self, odds: Odds) -> None:
        self._odds = odds
        self._best: dict[Key, Candidate] = {}

    def add(self, candidates: Iterable[Candidate]) -> None:
        """Takes in candidates and everything that wrappers make of them."""
        waiting = [one for one in candidates if self._keep(one)]
        for _ in range(_ROUNDS):
            waiting = [
                wrapped for one in waiting for wrapped in _wrapped(one) if self._keep(wrapped)
            ]

    def _keep(self, one: Candidate) -> bool:
        """Whether it is the best so far. Malleable ones and mixed locks never get better."""
        own = one.node.type
        if not own.m or not own.k:
            return False
        cost = one.cost(self._odds)
        key = own.base, _abilities(one.node)
        known = self._best.get(key)
        if known is not None and known.cost(self._odds) <= cost:
            return False
        self._best[key] = one
        return True

    def finish(self) -> tuple[Candidate, ...]:
        """The candidates that no cheaper one can stand in for, cheapest first."""
        ranked = sorted(
            (
                (one.cost(self._odds), key, one)
                for key, one in self._best.items()
                if one.serves(self._odds)
            ),
            key=lambda entry: entry[0],
        )
        kept: list[tuple[Key, Candidate]] = []
        for _, key, one in ranked:
            if not any(_covers(known, key) for known, _ in kept):
                kept.append((key, one))
        return tuple(one for _, one in kept)


def _covers(known: Key, other: Key) -> bool:
    return known[0] is other[0] and all(
        has or not wanted for has, wanted in zip(known[1], other[1], strict=True)
    )


def _wrapped(one: Candidate) -> Iterator[Candidate]:
    node, own = one.node, one.node.type
    if own.base is Base.K:
        yield _wrap(one, Fragment.WRAP_C, size=1, dissatisfy=one.dissatisfy)
    elif own.base is Base.V:
        true = Node(Fragment.TRUE, node.context)
        made = Node(Fragment.AND_V, node.context, (node, true))
        yield Candidate(made, one.size + 1, one.satisfy, None)
        if own.z:
            yield _wrap(one, Fragment.WRAP_D, size=3, satisfy=2, dissatisfy=1)
    elif own.base is Base.B:
        yield from _wrapped_base(one)


def _wrapped_base(one: Candidate) -> Iterator[Candidate]:
    node, own = one.node, one.node.type
    yield _wrap(one, Fragment.WRAP_V, size=not node.verifiable, dissatisfy=None)
    yield _wrap(one, Fragment.WRAP_A, size=2, dissatisfy=one.dissatisfy)
    if own.o:
        yield _wrap(one, Fragment.WRAP_S, size=1, dissatisfy=one.dissatisfy)
    if not own.u:
        yield _wrap(one, Fragment.WRAP_N, size=1, dissatisfy=one.dissatisfy)
    if own.n and not own.e:
        yield _wrap(one, Fragment.WRAP_J, size=4, dissatisfy=1)
    if not own.e:
        false = Node(Fragment.FALSE, node.context)
        left = Node(Fragment.OR_I, node.context, (false, node))
        right = Node(Fragment.OR_I, node.context, (node, false))
        other = one.dissatisfy
        yield Candidate(
            left, one.size + 4, one.satisfy + 1, 2 if other is None else min(2, 1 + other)
        )
        yield Candidate(right, one.size + 4, one.satisfy + 2, 1)


def _wrap(
    one: Candidate, fragment: Fragment, size: int, dissatisfy: float | None, satisfy: int = 0
) -> Candidate:
    node = Node(fragment, one.node.context, (one.node,))
    return Candidate(node, one.size + size, one.satisfy + satisfy, dissatisfy)


def key_candidates(name: str, context: Context) -> Iterator[Candidate]:
    """A signature check by key or by its hash."""
    key, signature = context.key_bytes + 1, _signature_bytes(context)
    by_key = Node(Fragment.PK_K, context, keys=(name,))
    by_hash = Node(Fragment.PK_H, context, keys=(name,))
    yield Candidate(by_key, key, signature, 1)
    yield Candidate(by_hash, 24, signature + key, 1 + key)


def multisig_candidate(required: int, names: tuple[str, ...], context: Context) -> Candidate:
    """One multi or multi_a."""
    count, signature = len(names), _signature_bytes(context)
    pushes = count * (context.key_bytes + 1)
    if context is Context.P2WSH:
        node = Node(Fragment.MULTI, context, keys=names, number=required)
        numbers = sum(1 if one <= 16 else 2 for one in (required, count))
        return Candidate(node, pushes + numbers + 1, 1 + required * signature, 1 + required)
    node = Node(Fragment.MULTI_A, context, keys=names, number=required)
    size = pushes + count + 1 + number_bytes(required)
    return Candidate(node, size, required * signature + count - required, count)


def number_bytes(value: int) -> int:
    """The bytes of a push of a number above 0."""
    return 1 if value <= 16 else 1 + (value.bit_length() + 8) // 8


def _signature_bytes(context: Context) -> int:
    """What is usual: in P2WSH 71 or 72 with its type, in tapscript 64 without; and its length."""
    return 73 if context is Context.P2WSH else 65
