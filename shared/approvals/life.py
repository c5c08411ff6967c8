"""The life of an approval request as a table. `shared.approvals.diagram` draws it."""

from enum import StrEnum


class ApprovalState(StrEnum):
    """Where a request stands. `pending` and `approved` are open; the others never change."""

    PENDING = "pending"
    APPROVED = "approved"
    """Enough people approved; it may be used once, before the intent's deadline."""
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    USED = "used"
    """What was approved was begun, in the transaction that wrote this."""
    LAPSED = "lapsed"
    """Approved, and not used before the intent's deadline."""


class ApprovalEvent(StrEnum):
    """What moves a request."""

    QUORUM = "quorum"
    REFUSE = "refuse"
    TIME_IS_UP = "time is up"
    WITHDRAW = "withdraw"
    USE = "use"
    DEADLINE = "deadline"


TRANSITIONS: dict[tuple[ApprovalState, ApprovalEvent], ApprovalState] = {
    (ApprovalState.PENDING, ApprovalEvent.QUORUM): ApprovalState.APPROVED,
    (ApprovalState.PENDING, ApprovalEvent.REFUSE): ApprovalState.REFUSED,
    (ApprovalState.PENDING, ApprovalEvent.TIME_IS_UP): ApprovalState.EXPIRED,
    (ApprovalState.PENDING, ApprovalEvent.WITHDRAW): ApprovalState.WITHDRAWN,
    (ApprovalState.APPROVED, ApprovalEvent.USE): ApprovalState.USED,
    (ApprovalState.APPROVED, ApprovalEvent.WITHDRAW): ApprovalState.WITHDRAWN,
    (ApprovalState.APPROVED, ApprovalEvent.DEADLINE): ApprovalState.LAPSED,
}

INITIAL = ApprovalState.PENDING
OPEN = frozenset({before for before, _ in TRANSITIONS})
TERMINAL_STATES = frozenset(ApprovalState) - OPEN


class NoSuchTransitionError(Exception):
    """A request was asked to move in a way that its table does not have; nothing was changed."""


def step(state: ApprovalState, event: ApprovalEvent) -> ApprovalState:
    """The state after an event; `NoSuchTransitionError` when the table has none."""
    after = TRANSITIONS.get((state, event))
    if after is None:
        raise NoSuchTransitionError(f"{event.value} of a request that is {state.value}")
    return after


def mermaid() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {INITIAL.value}"]
    lines += [
        f"    {before.value} --> {after.value}: {event.value}"
        for (before, event), after in TRANSITIONS.items()
    ]
    lines += [f"    {state.value} --> [*]" for state in ApprovalState if state in TERMINAL_STATES]
    return "\n".join(lines) + "\n"
