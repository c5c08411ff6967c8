"""What the follower knows, what it is told, and what it wants done. Values only."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from controller.chain.blocks import BlockHeader
from controller.chain.values import BlockRef, HeaderAt
from shared.bitcoin.networks import Network

DEFAULT_DEPTH = 100
"""The deepest reorganisation that is followed without asking anyone."""


@dataclass(frozen=True, slots=True)
class Search:
    """The way to where the node's best chain leaves the known one.

    `branch` are the node's headers above the lowest one asked for, lowest first; `fork` is the
    height of the last block in common, None until it is found.
    """

    branch: tuple[HeaderAt, ...] = ()
    fork: int | None = None


@dataclass(frozen=True, slots=True)
class FollowerState:
    """The last `depth` + 1 blocks whose facts are committed, consecutive, lowest first."""

    network: Network
    depth: int
    blocks: tuple[HeaderAt, ...]
    hashes: tuple[bytes, ...]
    search: Search | None = None
    target_height: int | None = None

    @property
    def last(self) -> HeaderAt:
        """The newest block."""
        return self.blocks[-1]

    @property
    def last_ref(self) -> BlockRef:
        """The newest block's height and id."""
        return BlockRef(self.last.height, self.hashes[-1])

    @property
    def lowest_height(self) -> int:
        """Below it nothing can be reorganised."""
        return self.blocks[0].height

    def hash_at(self, height: int) -> bytes:
        """The known id at a height from the lowest to the last."""
        return self.hashes[height - self.lowest_height]


def known(
    network: Network, depth: int, headers: tuple[tuple[int, BlockHeader], ...]
) -> FollowerState:
    """The state after these blocks, lowest first; at least one."""
    blocks = tuple(HeaderAt(height, header) for height, header in headers)
    return FollowerState(network, depth, blocks, tuple(one.header.block_hash for one in blocks))


@dataclass(frozen=True, slots=True)
class TipReported:
    """The node's best block."""

    tip: BlockRef


@dataclass(frozen=True, slots=True)
class HeaderReported:
    """The header that the node's best chain has at the height asked for."""

    at: HeaderAt


@dataclass(frozen=True, slots=True)
class HeaderMissing:
    """The node's best chain is not that high."""

    height: int


Event: TypeAlias = TipReported | HeaderReported | HeaderMissing


@dataclass(frozen=True, slots=True)
class NeedTip:
    """Ask for the node's best block again: its chain changed meanwhile."""


@dataclass(frozen=True, slots=True)
class NeedHeader:
    """Ask for the best chain's header at this height."""

    height: int


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Take this block's facts back."""

    ref: BlockRef


@dataclass(frozen=True, slots=True)
class Connect:
    """Fetch this block and commit its facts."""

    at: HeaderAt


class HaltKind(Enum):
    """Why the follower stops until an operator decides."""

    REORGANISATION_TOO_DEEP = "reorganisation too deep"


@dataclass(frozen=True, slots=True)
class Halt:
    """Stop for good, and say so."""

    kind: HaltKind
    problem: str


@dataclass(frozen=True, slots=True)
class Wait:
    """The node is behind what was seen, or on a branch with less work: nothing is taken back."""

    problem: str


@dataclass(frozen=True, slots=True)
class Mistrust:
    """The node told what cannot be: nothing is done on its word."""

    problem: str


Action: TypeAlias = NeedTip | NeedHeader | Disconnect | Connect | Halt | Wait | Mistrust
