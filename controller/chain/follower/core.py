"""How the follower moves from the blocks it knows to the node's best chain. Pure, no I/O.

Forward, one block at a time, each on the one before. Where the node's chain is another one, back
along it to the last block in common; then the branch is weighed: only one with more work than what
is known above the fork is followed, so that a node that is behind (restored from a copy, still
reading its blocks) or was led astray takes no fact back. Work is counted from the headers, never
taken from the node's word. A fork below the known blocks halts.
"""

from dataclasses import replace

from controller.chain.blocks import BlockHeader
from controller.chain.follower.state import (
    Action,
    Connect,
    Disconnect,
    Event,
    FollowerState,
    Halt,
    HaltKind,
    HeaderMissing,
    Mistrust,
    NeedHeader,
    NeedTip,
    Search,
    TipReported,
    Wait,
)
from controller.chain.values import POW_LIMIT_BITS, BlockRef, HeaderAt
from shared.bitcoin.networks import Network

_RETARGET_BLOCKS = 2016
_MAX_RETARGET_FACTOR = 4
_FIXED_RETARGETS = frozenset({Network.MAINNET, Network.SIGNET})

Decision = tuple[FollowerState, tuple[Action, ...]]


def advance(state: FollowerState, event: Event) -> Decision:
    """The next state and what to do for it, in order.

    Actions are done in full before the next event is told; whoever fails at one forgets the state
    and begins again with what is committed.
    """
    if isinstance(event, TipReported):
        return _on_tip(state, event.tip)
    if isinstance(event, HeaderMissing):
        return _on_missing(state, event.height)
    if state.search is None:
        return _forward(state, event.at)
    return _searching(state, state.search, event.at)


def header_problem(network: Network, at: HeaderAt, parent: BlockHeader | None) -> str | None:
    """Why a header cannot be: no work, a target too easy, a retarget out of bounds; else None.

    The last is Core's `PermittedDifficultyTransition`: a factor of four at most, every 2,016
    blocks; test networks with special rules are let through.
    """
    header = at.header
    if not header.has_work:
        return f"the header at height {at.height} has not the work it claims"
    limit = replace(header, bits=POW_LIMIT_BITS[network]).target
    if header.target > limit:
        return f"the header at height {at.height} has a target above the network's limit"
    if parent is None or network not in _FIXED_RETARGETS:
        return None
    if at.height % _RETARGET_BLOCKS:
        is_permitted = header.bits == parent.bits
    else:
        easiest = parent.target * _MAX_RETARGET_FACTOR
        hardest = parent.target // _MAX_RETARGET_FACTOR
        rounding = header.target >> 15  # the compact form has 23 to 16 bits of precision
        is_permitted = hardest - rounding <= header.target <= easiest + rounding
    return None if is_permitted else f"the header at height {at.height} changes its target too far"


def _on_tip(state: FollowerState, tip: BlockRef) -> Decision:
    if tip == state.last_ref:
        return replace(state, search=None, target_height=None), ()
    start = min(state.last.height, tip.height)
    if start < state.lowest_height:
        return state, (
            Wait(f"the node's tip {tip.hex} is below {state.lowest_height}, long since seen"),
        )
    return replace(state, search=Search(), target_height=tip.height), (NeedHeader(start),)


def _on_missing(state: FollowerState, height: int) -> Decision:
    search = state.search
    if search is None:  # moving forward: that was its tip
        return replace(state, target_height=None), ()
    if search.fork is None:  # its chain became shorter under our hands
        return _again(state)
    return replace(state, search=None), (
        Wait(
            f"the node's best chain ends at {height - 1} on a branch from {search.fork} with no "
            f"more work than what was seen up to {state.last_ref.hex}"
        ),
    )


def _again(state: FollowerState) -> Decision:
    return replace(state, search=None, target_height=None), (NeedTip(),)


def _forward(state: FollowerState, at: HeaderAt) -> Decision:
    if at.height != state.last.height + 1 or at.header.previous != state.hashes[-1]:
        return _again(state)
    problem = header_problem(state.network, at, state.last.header)
    if problem is not None:
        return state, (Mistrust(problem),)
    connected = _connected(state, at)
    target = state.target_height
    if target is not None and at.height >= target:
        return replace(connected, target_height=None), (Connect(at),)
    return connected, (Connect(at), NeedHeader(at.height + 1))


def _connected(state: FollowerState, at: HeaderAt) -> FollowerState:
    keep = state.depth + 1
    blocks = (*state.blocks, at)[-keep:]
    return replace(state, blocks=blocks, hashes=(*state.hashes, at.header.block_hash)[-keep:])


def _searching(state: FollowerState, search: Search, at: HeaderAt) -> Decision:
    block_hash = at.header.block_hash
    if search.fork is not None:
        return _ascending(state, search, search.fork, at)
    if search.branch and search.branch[0].header.previous != block_hash:
        return _again(state)
    if block_hash == state.hash_at(at.height):
        if at.height == state.last.height:
            return replace(state, search=None), (NeedHeader(at.height + 1),)
        return _weigh(state, replace(search, fork=at.height), at.height)
    problem = header_problem(state.network, at, None)
    if problem is not None:
        return state, (Mistrust(problem),)
    if at.height == state.lowest_height:
        return replace(state, search=None), (Halt(HaltKind.REORGANISATION_TOO_DEEP, _deep(state)),)
    branch = (at, *search.branch)
    return replace(state, search=Search(branch)), (NeedHeader(at.height - 1),)


def _deep(state: FollowerState) -> str:
    return (
        f"the node's best chain has nothing in common with the {len(state.blocks)} blocks from "
        f"{state.lowest_height} to {state.last_ref.hex}; the limit is {state.depth}"
    )


def _ascending(state: FollowerState, search: Search, fork: int, at: HeaderAt) -> Decision:
    parent = search.branch[-1].header if search.branch else state.blocks[_index(state, fork)].header
    if at.height != fork + len(search.branch) + 1 or at.header.previous != parent.block_hash:
        return _again(state)
    problem = header_problem(state.network, at, parent)
    if problem is not None:
        return state, (Mistrust(problem),)
    return _weigh(state, replace(search, branch=(*search.branch, at)), fork)


def _weigh(state: FollowerState, search: Search, fork: int) -> Decision:
    above = state.blocks[_index(state, fork) + 1 :]
    known_work = sum(one.header.work for one in above)
    branch_work = sum(one.header.work for one in search.branch)
    if branch_work <= known_work:
        return replace(state, search=search), (NeedHeader(fork + len(search.branch) + 1),)
    end = _index(state, fork) + 1
    undone = [
        Disconnect(BlockRef(fork + step, block_hash))
        for step, block_hash in enumerate(state.hashes[end:], start=1)
    ]
    kept = replace(state, blocks=state.blocks[:end], hashes=state.hashes[:end], search=None)
    return kept, (*reversed(undone), NeedHeader(fork + 1))


def _index(state: FollowerState, height: int) -> int:
    return height - state.lowest_height
