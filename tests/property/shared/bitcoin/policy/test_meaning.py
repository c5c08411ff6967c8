"""Compiled scripts mean their policy: truth tables over keys, preimages and locks are equal."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

import pytest

from shared.bitcoin.errors import MiniscriptError
from shared.bitcoin.hashes import hash160, sha256
from shared.bitcoin.miniscript import Available, Context, Fragment, Miniscript
from shared.bitcoin.policy import (
    After,
    And,
    Hash,
    InternalKey,
    Key,
    Older,
    Or,
    Policy,
    Threshold,
    compile_policy,
    compile_taproot,
    parse,
    walk,
)

_PREIMAGES = (b"\x01" * 32, b"\x02" * 32)
_DIGESTS = {sha256(_PREIMAGES[0]): _PREIMAGES[0], hash160(_PREIMAGES[1]): _PREIMAGES[1]}
_HASHES = (
    Hash(Fragment.SHA256, sha256(_PREIMAGES[0])),
    Hash(Fragment.HASH160, hash160(_PREIMAGES[1])),
)
_OLDER = (10, 144)
_AFTER = (500, 800_000)
_BESIDE_KEYS: tuple[Policy, ...] = (*_HASHES, *map(Older, _OLDER), *map(After, _AFTER))
_IN_THRESHOLDS: tuple[Policy, ...] = (*_HASHES, *map(Older, _OLDER))
_SEQUENCES = (0xFFFFFFFE, 9, 10, 143, 144)
_LOCK_TIMES = (0, 499, 500, 799_999, 800_000)


@dataclass(frozen=True, slots=True)
class World:
    """What is known and when it is."""

    keys: frozenset[str]
    digests: frozenset[bytes]
    sequence: int
    lock_time: int


def _holds(policy: Policy, world: World) -> bool:
    match policy:
        case Key(name):
            return name in world.keys
        case Older(lock):
            return world.sequence < 1 << 31 and world.sequence >= lock
        case After(lock):
            return world.lock_time >= lock
        case Hash(_, digest):
            return digest in world.digests
        case And(parts):
            return all(_holds(part, world) for part in parts)
        case Or(parts, _):
            return any(_holds(part, world) for part in parts)
        case Threshold(required, parts):
            return sum(_holds(part, world) for part in parts) >= required


def _worlds(policy: Policy) -> Iterator[World]:
    parts = list(walk(policy))
    names = sorted({part.name for part in parts if isinstance(part, Key)})
    digests = sorted({part.digest for part in parts if isinstance(part, Hash)})
    sequences = _SEQUENCES if any(isinstance(one, Older) for one in parts) else _SEQUENCES[:1]
    times = _LOCK_TIMES if any(isinstance(one, After) for one in parts) else _LOCK_TIMES[:1]
    for keys in product((False, True), repeat=len(names)):
        for known in product((False, True), repeat=len(digests)):
            for sequence, lock_time in product(sequences, times):
                yield World(
                    frozenset(one for one, has in zip(names, keys, strict=True) if has),
                    frozenset(one for one, has in zip(digests, known, strict=True) if has),
                    sequence,
                    lock_time,
                )


def _can_spend(miniscript: Miniscript, world: World) -> bool:
    size = miniscript.context.key_bytes
    keys = {name: name.encode().ljust(size, b"\x00") for name in miniscript.keys}
    available = Available(
        {keys[name]: b"\x30" * 64 for name in miniscript.keys if name in world.keys},
        {digest: _DIGESTS[digest] for digest in world.digests},
        world.sequence,
        world.lock_time,
    )
    return miniscript.satisfy(keys, available) is not None


class _Draw:
    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)
        self._keys = 0

    def policy(self, depth: int) -> Policy:
        source = self._source
        kind = source.choice(("key", "key", "condition", "and", "and", "or", "or", "threshold"))
        if depth == 0 or kind == "key" or self._keys > 5:
            return self._key()
        if kind == "condition":
            # Beside a signature: a way without one has no sane script.
            return And((self._key(), source.choice(_BESIDE_KEYS)))
        parts = tuple(self.policy(depth - 1) for _ in range(source.choice((2, 2, 2, 3))))
        if kind == "and":
            return And(parts)
        if kind == "or":
            return Or(parts, tuple(source.choice((1, 1, 9, 99)) for _ in parts))
        extra: tuple[Policy, ...] = ()
        if source.random() < 0.3:
            extra = (source.choice(_IN_THRESHOLDS),)
        required = source.randint(1 + len(extra), len(parts) + len(extra))
        return Threshold(required, parts + extra)

    def _key(self) -> Key:
        self._keys += 1
        return Key(f"K{self._keys}")


def _check(seeds: Iterable[int]) -> None:
    compiled = 0
    for seed in seeds:
        policy = _Draw(seed).policy(3)
        context = list(Context)[seed % 2]
        assert parse(str(policy)) == policy
        try:
            made = compile_policy(policy, context)
        except MiniscriptError:
            continue
        compiled += 1
        assert made.sane
        for world in _worlds(policy):
            assert _can_spend(made, world) == _holds(policy, world), (str(policy), str(made), world)
    assert compiled > 0.8 * len(list(seeds))


def _check_taproot(seeds: Iterable[int]) -> None:
    compiled = 0
    for seed in seeds:
        policy = _Draw(seed).policy(3)
        internal = list(InternalKey)[seed % 2]
        try:
            made = compile_taproot(policy, internal)
        except MiniscriptError:
            continue
        compiled += 1
        assert (made.internal_key is None) or internal is InternalKey.LIKELIEST
        for world in _worlds(policy):
            spends = made.internal_key in world.keys or any(
                _can_spend(leaf, world) for leaf in made.leaves
            )
            assert spends == _holds(policy, world), (str(policy), str(made), world)
    assert compiled > 0.8 * len(list(seeds))


def test_a_compiled_miniscript_means_its_policy() -> None:
    _check(range(60))


def test_a_compiled_taproot_means_its_policy() -> None:
    _check_taproot(range(100, 150))


@pytest.mark.soak
def test_many_more_policies_keep_their_meaning() -> None:
    _check(range(1_000, 4_000))
    _check_taproot(range(4_000, 6_000))
