"""Which scripts of a descriptor are used, looked for and given out. Pure.

A wallet that is restored finds its coins by asking for one script after the other until so many in
a row were never used (the gap limit, BIP44). So nothing is ever given out further ahead than that:
what lies beyond would not be found again.
"""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from typing import Protocol

from controller.errors import ConflictError
from shared.errors import BadInputError

RECEIVE, CHANGE = 0, 1
"""The branches of a descriptor (BIP44, BIP389)."""
MOST_GAP = 10_000
_MOST_INDEX = 2**31 - 1  # BIP32: an index without hardening


class WalletScripts(Protocol):
    """The scripts of a wallet: what this room needs to know of its descriptor."""

    @property
    def branches(self) -> int:
        """How many branches it has: 1, or 2 with one for change."""
        ...

    @property
    def input_weight(self) -> int:
        """The most that an input of it weighs, whichever way it spends."""
        ...

    def script_at(self, branch: int, index: int) -> bytes:
        """The output script there."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """One script and where it stands in the descriptor."""

    branch: int
    index: int
    script_pubkey: bytes


def check_gap_limit(gap_limit: int) -> int:
    """The limit as it is; BadInputError where it is not from 1 to 10,000."""
    if type(gap_limit) is not int or not 1 <= gap_limit <= MOST_GAP:
        raise BadInputError("gap_limit", repr(gap_limit), f"from 1 to {MOST_GAP}")
    return gap_limit


def places(scripts: WalletScripts, branch: int, start: int = 0) -> Iterator[Place]:
    """The scripts of a branch in order, from `start` on, made as they are asked for."""
    for index in range(start, _MOST_INDEX + 1):
        yield Place(branch, index, scripts.script_at(branch, index))


def gap_scan(
    scripts: WalletScripts,
    branch: int,
    is_used: Callable[[bytes], bool],
    gap_limit: int,
) -> Iterator[Place]:
    """The used scripts of a branch, found as a restored wallet finds them.

    Ends where `gap_limit` in a row were not used.
    """
    check_gap_limit(gap_limit)
    unused = 0
    for place in places(scripts, branch):
        if is_used(place.script_pubkey):
            unused = 0
            yield place
            continue
        unused += 1
        if unused >= gap_limit:
            return


def watched_until(highest_used: int | None, gap_limit: int) -> int:
    """One past the last index to watch: `gap_limit` unused ones behind the last that is used."""
    return (-1 if highest_used is None else highest_used) + 1 + check_gap_limit(gap_limit)


def next_index(used: Set[int], given_out: Set[int], gap_limit: int) -> int:
    """The lowest index that is neither used nor given out.

    `ConflictError` where it would lie `gap_limit` or more behind the last used one: then something
    that was given out has to be used, or to be taken back, first.
    """
    limit = watched_until(max(used, default=None), gap_limit)
    for index in range(limit):
        if index not in used and index not in given_out:
            return index
    raise ConflictError(f"{gap_limit} scripts in a row are given out and not used")
