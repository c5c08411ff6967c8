"""From a policy to the cheapest sane miniscript found for it.

Dynamic programming over (part of the policy, odds of satisfying and of dissatisfying it): for each,
the cheapest candidate of every ability. Cost is the expected witness, script included. Thresholds
that are neither of keys nor of all or one part are compiled to thresh() alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, TypeAlias

from shared.bitcoin.errors import MiniscriptError
from shared.bitcoin.miniscript import Base, Context, Fragment, Miniscript, Node
from shared.bitcoin.miniscript.context import MAX_MULTI_A_KEYS, MAX_MULTI_KEYS
from shared.bitcoin.policy.candidates import (
    Candidate,
    Choice,
    Odds,
    key_candidates,
    multisig_candidate,
    number_bytes,
)
from shared.bitcoin.policy.language import After, And, Hash, Key, Older, Or, Policy, Threshold

MAX_ALTERNATIVES: Final = 16
"""Alternatives in one script; a taproot tree takes more."""

_Found: TypeAlias = tuple[Candidate, ...]


def compile_policy(policy: Policy, context: Context) -> Miniscript:
    """The sane miniscript that means the policy, at the least expected witness cost found.

    MiniscriptError where none is: a way without a signature, a key twice, heights mixed with
    times in one way, or more than the context's limits.
    """
    found = [
        Miniscript(one.node)
        for one in _Compiler(context).best(policy, Odds(1.0, 0.0))
        if one.node.type.base is Base.B
    ]
    for miniscript in found:
        if miniscript.sane:
            return miniscript
    reasons = "; ".join(found[0].problems) if found else "no script without malleability"
    raise MiniscriptError(
        "policy",
        f"{str(policy)[:200]}: {reasons}",
        "a signature in every way, each key once, no height mixed with a time",
    )


@dataclass(frozen=True, slots=True)
class _Alternatives:
    """Parts of which one has to hold, the likeliest first, and the likelihood of each."""

    parts: tuple[Policy, ...]
    shares: tuple[float, ...]

    def cut(self, place: int) -> "tuple[float, _Part, _Part]":
        """What stands before a place and what from it on, and how likely the first is."""
        share = sum(self.shares[:place]) / sum(self.shares)
        return share, self._slice(0, place), self._slice(place, len(self.parts))

    def _slice(self, start: int, end: int) -> "_Part":
        if end - start == 1:
            return self.parts[start]
        return _Alternatives(self.parts[start:end], self.shares[start:end])


_Part: TypeAlias = Policy | _Alternatives


class _Compiler:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: dict[tuple[_Part, Odds], _Found] = {}

    def best(self, policy: _Part, odds: Odds) -> _Found:
        """The candidates for a part, cheapest first."""
        place = policy, odds
        known = self._known.get(place)
        if known is None:
            choice = Choice(odds)
            choice.add(self._candidates(policy, odds))
            known = self._known[place] = choice.finish()
        return known

    def _candidates(self, policy: _Part, odds: Odds) -> Iterator[Candidate]:
        match policy:
            case Key(name):
                yield from key_candidates(name, self._context)
            case Older(lock):
                yield self._lock(Fragment.OLDER, lock)
            case After(lock):
                yield self._lock(Fragment.AFTER, lock)
            case Hash(function, digest):
                node = Node(function, self._context, digest=digest)
                yield Candidate(node, 7 + len(digest), 33, 33)
            case And(parts):
                yield from self._all_of(parts, odds)
            case Or():
                yield from self._one_of(_alternatives(policy), odds)
            case _Alternatives():
                yield from self._one_of(policy, odds)
            case Threshold():
                yield from self._threshold(policy, odds)

    def _lock(self, fragment: Fragment, lock: int) -> Candidate:
        node = Node(fragment, self._context, number=lock)
        return Candidate(node, number_bytes(lock) + 1, 0, None)

    def _of(self, fragment: Fragment, *parts: Candidate) -> Node:
        return Node(fragment, self._context, tuple(one.node for one in parts))

    def _all_of(self, parts: Sequence[Policy], odds: Odds) -> Iterator[Candidate]:
        """Half of the parts and the other half, in both orders."""
        names = _key_names(parts)
        if names is not None and len(names) > 2:
            yield from self._multisig(len(names), names)
        half = len(parts) // 2
        first, second = _both_of(parts[:half]), _both_of(parts[half:])
        yield from self._both(first, second, odds)
        yield from self._both(second, first, odds)

    def _both(self, x_policy: Policy, y_policy: Policy, odds: Odds) -> Iterator[Candidate]:
        never = Odds(odds.satisfied, 0.0)
        for x, y in product(self.best(x_policy, never), self.best(y_policy, never)):
            if x.node.type.base is Base.V and y.node.type.base is not Base.W:
                size, satisfy = x.size + y.size, x.satisfy + y.satisfy
                yield Candidate(self._of(Fragment.AND_V, x, y), size, satisfy, None)
        for x, y in product(self.best(x_policy, odds), self.best(y_policy, odds)):
            if x.node.type.base is Base.B and y.node.type.base is Base.W:
                yield Candidate(
                    self._of(Fragment.AND_B, x, y),
                    x.size + y.size + 1,
                    x.satisfy + y.satisfy,
                    _add(x.dissatisfy, y.dissatisfy),
                )
        false = Candidate(Node(Fragment.FALSE, self._context), 1, 0, 0)
        for x, y in product(self.best(x_policy, odds), self.best(y_policy, never)):
            if _guards(x) and y.node.type.base is Base.B:
                yield Candidate(
                    self._of(Fragment.ANDOR, x, y, false),
                    x.size + y.size + 4,
                    x.satisfy + y.satisfy,
                    x.dissatisfy,
                )

    def _one_of(self, policy: _Alternatives, odds: Odds) -> Iterator[Candidate]:
        """The likeliest against the rest.

        Up to three alternatives are tried in every way. With more the work would double with each,
        so the rest is never tried first; but half against half is.
        """
        count = len(policy.parts)
        names = _key_names(policy.parts)
        if names is not None and len(set(policy.shares)) == 1:
            yield from self._multisig(1, names)
        elif count > MAX_ALTERNATIVES:
            raise MiniscriptError(
                "policy", f"{count} alternatives in one script", f"at most {MAX_ALTERNATIVES}"
            )
        share, first, rest = policy.cut(1)
        if count <= 3:
            yield from self._either(first, rest, share, odds)
            yield from self._either(rest, first, 1 - share, odds)
        elif count <= MAX_ALTERNATIVES:
            yield from self._tries_first(first, rest, share, odds)
            share, first, rest = policy.cut(count // 2)
            often, rarely = odds.satisfied * share, odds.satisfied * (1 - share)
            yield from self._or_i(
                self._alone(first, often, odds), self._alone(rest, rarely, odds), share
            )

    def _alone(self, policy: _Part, satisfied: float, odds: Odds) -> _Found:
        """Candidates that are dissatisfied only when the whole is, or never."""
        whole = self.best(policy, Odds(satisfied, odds.dissatisfied))
        if not odds.dissatisfied:
            return whole
        return (*whole, *self.best(policy, Odds(satisfied, 0.0)))

    def _either(self, x: _Part, z: _Part, share: float, odds: Odds) -> Iterator[Candidate]:
        """X with that share, else Z, in every way that has X first."""
        often, rarely = odds.satisfied * share, odds.satisfied * (1 - share)
        x_fails = Odds(often, odds.dissatisfied + rarely)
        z_fails = Odds(rarely, odds.dissatisfied + often)
        yield from self._or_b(self.best(x, x_fails), self.best(z, z_fails), share)
        yield from self._tries_first(x, z, share, odds)

    def _tries_first(self, x: _Part, z: _Part, share: float, odds: Odds) -> Iterator[Candidate]:
        """X with that share, else Z, which is not evaluated where X holds."""
        often, rarely = odds.satisfied * share, odds.satisfied * (1 - share)
        x_fails = Odds(often, odds.dissatisfied + rarely)
        z_found = self._alone(z, rarely, odds)
        yield from self._or_c_or_d(self.best(x, x_fails), z_found, share)
        yield from self._or_i(self._alone(x, often, odds), z_found, share)
        if isinstance(x, And) and len(x.parts) == 2:
            for guard, then in (x.parts, x.parts[::-1]):
                guards = self.best(guard, x_fails)
                yield from self._andor(guards, self.best(then, Odds(often, 0.0)), z_found, share)

    def _or_b(self, x_found: _Found, z_found: _Found, share: float) -> Iterator[Candidate]:
        for x, z in product(x_found, z_found):
            if x.dissatisfy is None or z.dissatisfy is None:
                continue
            if _is(x, Base.B) and _is(z, Base.W) and x.node.type.d and z.node.type.d:
                satisfy = share * (x.satisfy + z.dissatisfy)
                satisfy += (1 - share) * (x.dissatisfy + z.satisfy)
                yield Candidate(
                    self._of(Fragment.OR_B, x, z),
                    x.size + z.size + 1,
                    satisfy,
                    x.dissatisfy + z.dissatisfy,
                )

    def _or_c_or_d(self, x_found: _Found, z_found: _Found, share: float) -> Iterator[Candidate]:
        for x, z in product(x_found, z_found):
            if not _guards(x) or x.dissatisfy is None:
                continue
            size = x.size + z.size
            satisfy = share * x.satisfy + (1 - share) * (x.dissatisfy + z.satisfy)
            if _is(z, Base.B):
                failing = _add(x.dissatisfy, z.dissatisfy)
                yield Candidate(self._of(Fragment.OR_D, x, z), size + 3, satisfy, failing)
            elif _is(z, Base.V):
                yield Candidate(self._of(Fragment.OR_C, x, z), size + 2, satisfy, None)

    def _or_i(self, x_found: _Found, z_found: _Found, share: float) -> Iterator[Candidate]:
        for x, z in product(x_found, z_found):
            if x.node.type.base is z.node.type.base and not _is(x, Base.W):
                satisfy = share * (x.satisfy + 2) + (1 - share) * (z.satisfy + 1)
                failing = [
                    one + more
                    for one, more in ((x.dissatisfy, 2), (z.dissatisfy, 1))
                    if one is not None
                ]
                node = self._of(Fragment.OR_I, x, z)
                dissatisfy = min(failing) if failing and node.type.d else None
                yield Candidate(node, x.size + z.size + 3, satisfy, dissatisfy)

    def _andor(
        self, x_found: _Found, y_found: _Found, z_found: _Found, share: float
    ) -> Iterator[Candidate]:
        for x, y, z in product(x_found, y_found, z_found):
            if not _guards(x) or x.dissatisfy is None:
                continue
            if y.node.type.base is z.node.type.base and not _is(y, Base.W):
                satisfy = share * (x.satisfy + y.satisfy)
                satisfy += (1 - share) * (x.dissatisfy + z.satisfy)
                yield Candidate(
                    self._of(Fragment.ANDOR, x, y, z),
                    x.size + y.size + z.size + 3,
                    satisfy,
                    _add(x.dissatisfy, z.dissatisfy),
                )

    def _threshold(self, policy: Threshold, odds: Odds) -> Iterator[Candidate]:
        parts, required = policy.parts, policy.required
        if len(parts) == 1:
            yield from self.best(parts[0], odds)
            return
        names = _key_names(parts)
        if names is not None:
            yield from self._multisig(required, names)
        if required == len(parts):
            yield from self._all_of(parts, odds)
        elif required == 1:
            yield from self._one_of(_alternatives(policy), odds)
        share = required / len(parts)
        part_odds = Odds(odds.satisfied * share, odds.satisfied * (1 - share) + odds.dissatisfied)
        made = self._thresh(policy, part_odds)
        if made is not None:
            yield made

    def _thresh(self, policy: Threshold, odds: Odds) -> Candidate | None:
        """thresh() with the cheapest candidates; the part whose B saves most stands first."""
        bases, wrapped = [], []
        for part in policy.parts:
            found = [one for one in self.best(part, odds) if _fits_thresh(one)]
            bases.append(next((one for one in found if _is(one, Base.B)), None))
            wrapped.append(next((one for one in found if _is(one, Base.W)), None))
        best: tuple[float, list[Candidate]] | None = None
        for place, first in enumerate(bases):
            others = wrapped[:place] + wrapped[place + 1 :]
            if first is None or any(one is None for one in others):
                continue
            chosen = [first, *[one for one in others if one is not None]]
            cost = sum(one.cost(odds) for one in chosen)
            if best is None or cost < best[0]:
                best = cost, chosen
        return None if best is None else self._made_thresh(policy.required, best[1])

    def _made_thresh(self, required: int, chosen: Sequence[Candidate]) -> Candidate:
        node = Node(
            Fragment.THRESH, self._context, tuple(one.node for one in chosen), number=required
        )
        share = required / len(chosen)
        failing = [one.dissatisfy or 0.0 for one in chosen]
        satisfy = sum(
            share * one.satisfy + (1 - share) * fails
            for one, fails in zip(chosen, failing, strict=True)
        )
        size = sum(one.size for one in chosen) + len(chosen) + number_bytes(required)
        return Candidate(node, size, satisfy, sum(failing))

    def _multisig(self, required: int, names: tuple[str, ...]) -> Iterator[Candidate]:
        limit = MAX_MULTI_KEYS if self._context is Context.P2WSH else MAX_MULTI_A_KEYS
        if len(names) <= limit:
            yield multisig_candidate(required, names, self._context)


def _alternatives(policy: Policy) -> _Alternatives:
    """Every alternative of the policy, also of those within it, likeliest first."""
    ranked = sorted(spread(policy, 1.0), key=lambda one: -one[0])
    return _Alternatives(tuple(one[1] for one in ranked), tuple(one[0] for one in ranked))


def spread(policy: Policy, share: float) -> Iterator[tuple[float, Policy]]:
    """The alternatives at the top of the policy with their likelihood, in the order of its text."""
    if isinstance(policy, Threshold) and policy.required == 1 and len(policy.parts) > 1:
        policy = Or(policy.parts, (1,) * len(policy.parts))
    if isinstance(policy, Or):
        for part, part_share in zip(policy.parts, policy.shares, strict=True):
            yield from spread(part, share * part_share)
    else:
        yield share, policy


def _both_of(parts: Sequence[Policy]) -> Policy:
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _key_names(parts: Sequence[Policy]) -> tuple[str, ...] | None:
    """The keys where the parts are keys and nothing else."""
    names = tuple(one.name for one in parts if isinstance(one, Key))
    return names if len(names) == len(parts) else None


def _is(one: Candidate, base: Base) -> bool:
    return one.node.type.base is base


def _guards(one: Candidate) -> bool:
    """Whether it can stand before NOTIF: Bdu."""
    own = one.node.type
    return own.base is Base.B and own.d and own.u


def _fits_thresh(one: Candidate) -> bool:
    own = one.node.type
    return own.d and own.u and own.e and one.dissatisfy is not None


def _add(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first + second
