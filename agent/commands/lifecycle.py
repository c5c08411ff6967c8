"""The life of a command as a table. `agent.commands.diagram` draws it for the documents."""

from enum import StrEnum

from shared.messages.reply import ReplyState


class CommandState(StrEnum):
    """Where a command is. Only `accepted` and `acting` are open; the others never change."""

    RECEIVED = "received"
    """Its signature is proven; nothing is written down yet."""
    ACCEPTED = "accepted"
    """Written down and answered; no device has been touched for it."""
    ACTING = "acting"
    """A device may have been touched for it."""
    DONE = "done"
    REFUSED = "refused"
    EXPIRED = "expired"
    FAILED = "failed"
    UNVERIFIED = "unverified"


class CommandEvent(StrEnum):
    """What moves a command."""

    ADMIT = "admit"
    REFUSE = "refuse"
    EXPIRE = "expire"
    BEGIN = "begin"
    RESTART = "restart"
    SUCCEED = "succeed"
    FAIL = "fail"
    DOUBT = "doubt"


TRANSITIONS: dict[tuple[CommandState, CommandEvent], CommandState] = {
    (CommandState.RECEIVED, CommandEvent.ADMIT): CommandState.ACCEPTED,
    (CommandState.RECEIVED, CommandEvent.REFUSE): CommandState.REFUSED,
    (CommandState.RECEIVED, CommandEvent.EXPIRE): CommandState.EXPIRED,
    (CommandState.ACCEPTED, CommandEvent.BEGIN): CommandState.ACTING,
    (CommandState.ACCEPTED, CommandEvent.REFUSE): CommandState.REFUSED,
    (CommandState.ACCEPTED, CommandEvent.EXPIRE): CommandState.EXPIRED,
    (CommandState.ACTING, CommandEvent.RESTART): CommandState.ACTING,
    (CommandState.ACTING, CommandEvent.SUCCEED): CommandState.DONE,
    (CommandState.ACTING, CommandEvent.REFUSE): CommandState.REFUSED,
    (CommandState.ACTING, CommandEvent.FAIL): CommandState.FAILED,
    (CommandState.ACTING, CommandEvent.DOUBT): CommandState.UNVERIFIED,
}

INITIAL = CommandState.RECEIVED
OPEN = frozenset({CommandState.ACCEPTED, CommandState.ACTING})
TERMINAL_STATES = frozenset(CommandState) - OPEN - {INITIAL}

_EVENT_OF_REPLY = {
    ReplyState.ACCEPTED: CommandEvent.ADMIT,
    ReplyState.DONE: CommandEvent.SUCCEED,
    ReplyState.REFUSED: CommandEvent.REFUSE,
    ReplyState.EXPIRED: CommandEvent.EXPIRE,
    ReplyState.FAILED: CommandEvent.FAIL,
    ReplyState.UNVERIFIED: CommandEvent.DOUBT,
}


class NoSuchTransitionError(Exception):
    """A command was asked to move in a way that its table does not have; nothing was changed."""


def step(state: CommandState, event: CommandEvent) -> CommandState:
    """The state after an event; `NoSuchTransitionError` when the table has none."""
    after = TRANSITIONS.get((state, event))
    if after is None:
        raise NoSuchTransitionError(f"{event.value} of a command that is {state.value}")
    return after


def event_of(reply: ReplyState) -> CommandEvent:
    """The event that an answer of this state stands for."""
    return _EVENT_OF_REPLY[reply]


def mermaid() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {INITIAL.value}"]
    lines += [
        f"    {before.value} --> {after.value}: {event.value}"
        for (before, event), after in TRANSITIONS.items()
    ]
    lines += [f"    {state.value} --> [*]" for state in CommandState if state in TERMINAL_STATES]
    return "\n".join(lines) + "\n"
