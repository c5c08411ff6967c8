"""What can go wrong with a chain backend or the follower; each error says what to do about it."""

from shared.bitcoin.transaction import display


class ChainError(Exception):
    """The chain could not be read or written as asked; nothing was changed."""


class NetworkMismatchError(ChainError):
    """The node serves another network than the configured one."""

    def __init__(self, field: str, found: str, expected: str) -> None:
        super().__init__(f"the node's {field} is {found}, configured is {expected}")
        self.field = field
        self.found = found
        self.expected = expected


class BlockNotFoundError(ChainError):
    """The node knows no such block, or none at that height of its best chain."""

    def __init__(self, asked: str) -> None:
        super().__init__(f"the node has no block {asked}")
        self.asked = asked


class PrunedError(ChainError):
    """The node has deleted the block asked for."""

    def __init__(self, height: int, lowest_height: int) -> None:
        super().__init__(
            f"block {height} is pruned; the lowest block the node keeps is {lowest_height}"
        )
        self.height = height
        self.lowest_height = lowest_height


class UntrustworthyNodeError(ChainError):
    """The node answered what cannot be: a header without its work, a block of another header."""


class NodeUnreachableError(ChainError):
    """No answer in time, or none that can be read. What was sent may have arrived or not."""


class NodeNotTriedError(NodeUnreachableError):
    """The circuit breaker is open: the node has been failing, and is left alone for a while."""


class NodeRefusedError(ChainError):
    """The node answered with an error; `code` is Core's RPC error code."""

    def __init__(self, method: str, code: int, problem: str) -> None:
        super().__init__(f"{method}: {problem} ({code})")
        self.method = method
        self.code = code
        self.problem = problem


class NotAcceptedError(ChainError):
    """The mempool refused a transaction; `reason` is Core's reject reason."""

    def __init__(self, txid: bytes, reason: str, detail: str) -> None:
        super().__init__(f"{display(txid)}: {reason}" + (f" ({detail})" if detail else ""))
        self.txid = txid
        self.reason = reason
        self.detail = detail


class MiningError(ChainError):
    """Core's engine refused a block that the embedded chain mined."""


class ScriptRefusedError(ChainError):
    """Core's engine refuses an input's script or signature (`index`)."""

    def __init__(self, txid: bytes, index: int, problem: str) -> None:
        super().__init__(f"{display(txid)}: input {index}: {problem}")
        self.txid = txid
        self.index = index
        self.problem = problem


class FollowerHaltedError(ChainError):
    """The follower stopped for good; it goes on only when an operator says so."""

    def __init__(self, kind: str, problem: str) -> None:
        super().__init__(f"{kind}: {problem}")
        self.kind = kind
        self.problem = problem
