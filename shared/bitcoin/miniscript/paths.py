"""The ways in which an expression can be spent, in words that people use: who signs, what is
revealed, how long to wait."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, TypeAlias

from shared.bitcoin.errors import MiniscriptError
from shared.bitcoin.miniscript.node import HASHES, MULTISIGS, Fragment, Node, fold

MAX_PATHS: Final = 1024
"""More ways than anyone can judge; an expression with more is refused a list."""

_KEYS: Final = frozenset((Fragment.PK_K, Fragment.PK_H))
_TRANSPARENT: Final = frozenset(
    (
        Fragment.WRAP_A,
        Fragment.WRAP_S,
        Fragment.WRAP_C,
        Fragment.WRAP_D,
        Fragment.WRAP_V,
        Fragment.WRAP_J,
        Fragment.WRAP_N,
    )
)


@dataclass(frozen=True, slots=True)
class Signers:
    """`required` signatures of these keys."""

    required: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HashLock:
    """A preimage of 32 bytes to be shown; `function` as BIP379 names it."""

    function: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Path:
    """One way to spend: all of it is needed. Locks as their opcodes compare them, 0 for none."""

    signers: tuple[Signers, ...] = ()
    hashes: tuple[HashLock, ...] = ()
    older: int = 0
    after: int = 0

    @classmethod
    def of_key(cls, key: str) -> "Path":
        """The path that one signature takes."""
        return cls(signers=(Signers(1, (key,)),))

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that may sign on this path."""
        return tuple(key for group in self.signers for key in group.keys)


_FREE: Final = Path()


def paths_of(order: Sequence[Node]) -> tuple[Path, ...]:
    """Every way to satisfy the expression, in the order of its text; a way that asks for all that
    another asks for, and more, is left out. MiniscriptError above MAX_PATHS."""
    return _minimal(fold(order, _paths))


def _paths(node: Node, parts: Sequence[tuple[Path, ...]]) -> tuple[Path, ...]:
    fragment = node.fragment
    if fragment in _TRANSPARENT:
        return parts[0]
    if fragment is Fragment.THRESH:
        return _threshold(node, parts)
    if fragment in (Fragment.AND_V, Fragment.AND_B):
        return _both(*parts)
    if fragment is Fragment.ANDOR:
        x, y, z = parts
        return _bounded((*_both(x, y), *z))
    if parts:
        return _bounded(one for part in parts for one in part)
    return _leaf(node)


def _leaf(node: Node) -> tuple[Path, ...]:
    fragment = node.fragment
    if fragment in _KEYS:
        return (Path.of_key(node.keys[0]),)
    if fragment in MULTISIGS:
        return (Path(signers=(Signers(node.number, node.keys),)),)
    if fragment in HASHES:
        return (Path(hashes=(HashLock(fragment.value, node.digest),)),)
    if fragment is Fragment.OLDER:
        return (Path(older=node.number),)
    if fragment is Fragment.AFTER:
        return (Path(after=node.number),)
    return (_FREE,) if fragment is Fragment.TRUE else ()


def _single_key(part: tuple[Path, ...]) -> str | None:
    if len(part) != 1:
        return None
    (path,) = part
    plain = len(path.signers) == 1 and not path.hashes and not path.older and not path.after
    return path.signers[0].keys[0] if plain and len(path.signers[0].keys) == 1 else None


def _threshold(node: Node, parts: Sequence[tuple[Path, ...]]) -> tuple[Path, ...]:
    """Single keys stay one group, so that 11 of 20 is one way and not 167,960."""
    keys = tuple(key for part in parts if (key := _single_key(part)) is not None)
    others = [part for part in parts if part and _single_key(part) is None]
    found: list[Path] = []
    for taken in range(min(node.number, len(others)) + 1):
        wanted = node.number - taken
        if wanted > len(keys):
            continue
        group: tuple[Path, ...] = (Path(signers=(Signers(wanted, keys),)),) if wanted else (_FREE,)
        for chosen in combinations(others, taken):
            ways = group
            for part in chosen:
                ways = _both(ways, part)
            found = list(_bounded((*found, *ways)))
    return tuple(found)


def _both(first: tuple[Path, ...], second: tuple[Path, ...]) -> tuple[Path, ...]:
    return _bounded(_join(one, other) for one in first for other in second)


def _join(first: Path, second: Path) -> Path:
    return Path(
        first.signers + second.signers,
        first.hashes + tuple(one for one in second.hashes if one not in first.hashes),
        max(first.older, second.older),
        max(first.after, second.after),
    )


def _bounded(paths: Iterable[Path]) -> tuple[Path, ...]:
    kept: list[Path] = []
    for path in paths:
        kept.append(path)
        if len(kept) > MAX_PATHS:
            raise MiniscriptError("paths", f"more than {MAX_PATHS}", f"at most {MAX_PATHS}")
    return tuple(kept)


def _minimal(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    distinct = [
        (one, frozenset(one.signers), frozenset(one.hashes)) for one in dict.fromkeys(paths)
    ]
    return tuple(one[0] for one in distinct if not any(_covers(other, one) for other in distinct))


_Demands: TypeAlias = tuple[Path, frozenset[Signers], frozenset[HashLock]]


def _covers(less: _Demands, more: _Demands) -> bool:
    """Whether `more` asks for everything that `less` asks for, and for something else."""
    return (
        less is not more
        and less[1] <= more[1]
        and less[2] <= more[2]
        and less[0].older in (0, more[0].older)
        and less[0].after in (0, more[0].after)
    )
