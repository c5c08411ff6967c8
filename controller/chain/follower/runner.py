"""The follower at work: asks the backend, commits each block, tells the listeners."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import structlog

from controller.chain.backend import ChainBackend, check_network
from controller.chain.blocks import BlockHeader
from controller.chain.errors import (
    BlockNotFoundError,
    ChainError,
    FollowerHaltedError,
    NetworkMismatchError,
    UntrustworthyNodeError,
)
from controller.chain.follower import store
from controller.chain.follower.commits import Commits
from controller.chain.follower.core import advance
from controller.chain.follower.listeners import BlockListener
from controller.chain.follower.rescan import replay, rescan
from controller.chain.follower.state import (
    DEFAULT_DEPTH,
    Action,
    Connect,
    Disconnect,
    Event,
    FollowerState,
    Halt,
    HeaderMissing,
    HeaderReported,
    Mistrust,
    NeedHeader,
    TipReported,
    Wait,
    known,
)
from controller.chain.values import BlockRef, HeaderAt, NodeFacts
from controller.storage.engine import Storage
from shared.errors import BadInputError

log = structlog.get_logger(__name__)

_MAX_BLOCKS_A_STEP = 200
_MAX_DEPTH = 10_000


class AlarmKind(Enum):
    """What somebody must be told of."""

    HALTED = "the chain follower halted"
    NODE_BEHIND = "the node is behind what was seen"
    UNTRUSTWORTHY_NODE = "the node told what cannot be"
    WRONG_NETWORK = "the node serves another network"


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did. `is_at_tip` is False while there is more to do, or the node is behind."""

    connected: int
    disconnected: int
    is_at_tip: bool
    last: BlockRef


def _log_alarm(kind: AlarmKind, problem: str) -> None:
    log.error("The chain follower raises an alarm", kind=kind.value, problem=problem)


class Follower:
    """Follows one backend into one database; several may run, and one at a time gets on.

    Call `start` once a process and then `step` at an interval, or at a hint that there is a block;
    a step reads everything anew from the database and from the node, so that a hint may be lost.
    """

    def __init__(
        self,
        backend: ChainBackend,
        storage: Storage,
        listeners: Sequence[BlockListener] = (),
        *,
        depth: int = DEFAULT_DEPTH,
        alarm: Callable[[AlarmKind, str], None] = _log_alarm,
    ) -> None:
        if not 1 <= depth <= _MAX_DEPTH:
            raise BadInputError("chain.depth", str(depth), f"from 1 to {_MAX_DEPTH}")
        self._backend = backend
        self._storage = storage
        self._depth = depth
        self._alarm = alarm
        self._commits = Commits(storage, listeners, depth)
        self._listeners = listeners
        self._turn = threading.Lock()

    def start(self, birth_height: int | None = None) -> BlockRef:
        """Checks the network; on a new database sets where facts begin. Returns the last block.

        `birth_height` is the first block that may have facts (None: the one after the tip); it is
        looked at on a new database only. `NetworkMismatchError` if the node or the database is
        another network's.
        """
        facts = self._checked_network()
        with self._storage.read() as conn:
            is_new = store.read_state(conn) is None
        if is_new:
            if birth_height is not None and birth_height < 0:
                raise BadInputError("chain.birth_height", str(birth_height), "0 or above")
            height = self._backend.tip().height if birth_height is None else birth_height - 1
            blocks = self._ending_at(max(height, 0))
            with self._storage.write() as conn:
                store.begin(conn, facts.network.value, blocks)
        with self._storage.read() as conn:
            return self._loaded(store.read_blocks(conn)).last_ref

    def step(self, max_blocks: int = _MAX_BLOCKS_A_STEP) -> Step:
        """Goes on to the node's tip, at most so many blocks; each is committed by itself.

        Raises `FollowerHaltedError` while halted, `PrunedError` where the node has deleted what is
        needed, `UntrustworthyNodeError`, `NetworkMismatchError`, `NodeUnreachableError`; whatever
        was committed before stands.
        """
        with self._turn:
            self._checked_network()
            with self._storage.read() as conn:
                row = store.read_state(conn)
                blocks = store.read_blocks(conn)
            if row is None:
                raise ChainError("the chain follower was never started on this database")
            if row.halted_kind is not None:
                raise FollowerHaltedError(row.halted_kind, row.halted_problem or "")
            self._commits.begin(row)
            return self._walk(self._loaded(blocks), max_blocks)

    def work(self) -> bool:
        """A step for `controller.background.Worker`: whether there is more to do at once."""
        step = self.step()
        return step.connected > 0 and not step.is_at_tip

    def rescan(self, script_pubkeys: Sequence[bytes], from_height: int) -> int:
        """Tells what the blocks from `from_height` on had of these scripts; returns how many facts.

        They are watched already. `PrunedError` where the node no longer has the blocks.
        """
        with self._turn:
            self._checked_network()
            return rescan(
                self._backend, self._storage, self._listeners, script_pubkeys, from_height
            )

    def replay(self, listener: BlockListener, from_height: int) -> BlockRef:
        """Tells a new listener of all blocks from `from_height` (1 or above) to the last.

        `PrunedError` where the node no longer has them; what was told before stands, and a replay
        may begin after it.
        """
        if from_height < 1:
            raise BadInputError("from_height", str(from_height), "1 or above")
        with self._turn:
            self._checked_network()
            return replay(self._backend, self._storage, listener, from_height)

    def resume_from(self, fork_height: int) -> BlockRef:
        """After a halt, an operator's decision: takes back all facts above `fork_height`, goes on.

        The node's best chain from that height on is what counts from now. Returns the block there.
        """
        with self._turn:
            self._checked_network()
            blocks = self._ending_at(fork_height)
            self._commits.cut_back(blocks, self._known_above(fork_height))
            log.warning("The chain follower resumes", block=blocks[-1].ref.hex)
            return blocks[-1].ref

    def _walk(self, state: FollowerState, max_blocks: int) -> Step:
        connected = disconnected = 0
        tip = self._backend.tip()
        events: deque[Event] = deque([TipReported(tip)])
        while events and connected < max_blocks:
            state, actions = advance(state, events.popleft())
            for action in actions:
                if isinstance(action, Connect | Disconnect):
                    if not self._committed(action):  # another follower was faster
                        last = self._last_committed()
                        return Step(connected, disconnected, is_at_tip=False, last=last)
                    connected += isinstance(action, Connect)
                    disconnected += isinstance(action, Disconnect)
                else:
                    events.extend(self._answer(action))
        return Step(connected, disconnected, state.last_ref == tip, state.last_ref)

    def _committed(self, action: Connect | Disconnect) -> bool:
        if isinstance(action, Connect):
            return self._commits.connect(self._backend, action.at)
        return self._commits.disconnect(action.ref)

    def _answer(self, action: Action) -> tuple[Event, ...]:
        """Asks the backend; raises what ends the step; nothing where it ends quietly.

        `NeedTip` ends it too: the node's chain changed under our hands, and the next step looks.
        """
        if isinstance(action, NeedHeader):
            try:
                return (HeaderReported(self._backend.header_at(action.height)),)
            except BlockNotFoundError:
                return (HeaderMissing(action.height),)
        if isinstance(action, Wait):
            self._alarm(AlarmKind.NODE_BEHIND, action.problem)
        elif isinstance(action, Mistrust):
            self._alarm(AlarmKind.UNTRUSTWORTHY_NODE, action.problem)
            raise UntrustworthyNodeError(action.problem)
        elif isinstance(action, Halt):
            with self._storage.write() as conn:
                store.halt(conn, action.kind, action.problem)
            self._alarm(AlarmKind.HALTED, action.problem)
            raise FollowerHaltedError(action.kind.value, action.problem)
        return ()

    def _ending_at(self, height: int) -> list[HeaderAt]:
        """The node's best chain up to a block, as far down as a reorganisation may reach."""
        blocks = [self._backend.header_at(height)]
        while blocks[0].height > max(0, height - self._depth):
            parent = self._backend.header_at(blocks[0].height - 1)
            if parent.header.block_hash != blocks[0].header.previous:
                raise ChainError("the node's best chain changed meanwhile; try again")
            blocks.insert(0, parent)
        return blocks

    def _known_above(self, height: int) -> list[HeaderAt]:
        """The blocks above a height that were followed, newest first, as far as anyone knows them.

        A node keeps the headers of branches that it left.
        """
        with self._storage.read() as conn:
            kept = [HeaderAt(at, header) for at, header in store.read_blocks(conn)]
        found = [one for one in reversed(kept) if one.height > height]
        while found and found[-1].height > height + 1:
            try:
                found.append(self._backend.header(found[-1].header.previous))
            except BlockNotFoundError:
                break
        return found

    def _checked_network(self) -> NodeFacts:
        try:
            facts = check_network(self._backend)
            self._check_database(facts)
        except NetworkMismatchError as error:
            self._alarm(AlarmKind.WRONG_NETWORK, str(error))
            raise
        return facts

    def _check_database(self, facts: NodeFacts) -> None:
        with self._storage.read() as conn:
            row = store.read_state(conn)
        if row is not None and row.network != facts.network.value:
            raise NetworkMismatchError("network", facts.network.value, row.network)

    def _loaded(self, blocks: tuple[tuple[int, BlockHeader], ...]) -> FollowerState:
        return known(self._backend.network, self._depth, blocks)

    def _last_committed(self) -> BlockRef:
        with self._storage.read() as conn:
            return self._loaded(store.read_blocks(conn)).last_ref
