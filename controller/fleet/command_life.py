"""The life of a command on the controller, as a table. Pure.

The controller calls a command expired on its own only where it was never handed to the broker. One
that may have reached the node and was not answered in time is `unanswered`: openly not known, and
still open, because the node's answer may be waiting in its buffer behind a cut link.
"""

from enum import StrEnum

from shared.messages.reply import ReplyState


class CommandState(StrEnum):
    """Where a command stands."""

    QUEUED = "queued"
    SENT = "sent"
    UNANSWERED = "unanswered"
    ACCEPTED = "accepted"
    DONE = "done"
    REFUSED = "refused"
    EXPIRED = "expired"
    FAILED = "failed"
    UNVERIFIED = "unverified"


class CommandEvent(StrEnum):
    """What happens to a command; the replies have the names they have on the wire."""

    PUBLISHING = "publishing"
    TIME_IS_UP = "time is up"
    ACCEPTED = ReplyState.ACCEPTED.value
    DONE = ReplyState.DONE.value
    REFUSED = ReplyState.REFUSED.value
    EXPIRED = ReplyState.EXPIRED.value
    FAILED = ReplyState.FAILED.value
    UNVERIFIED = ReplyState.UNVERIFIED.value


_ENDS = {
    CommandEvent.DONE: CommandState.DONE,
    CommandEvent.REFUSED: CommandState.REFUSED,
    CommandEvent.EXPIRED: CommandState.EXPIRED,
    CommandEvent.FAILED: CommandState.FAILED,
    CommandEvent.UNVERIFIED: CommandState.UNVERIFIED,
}
_ANSWERS = {CommandEvent.ACCEPTED: CommandState.ACCEPTED, **_ENDS}

TRANSITIONS: dict[CommandState, dict[CommandEvent, CommandState]] = {
    CommandState.QUEUED: {
        CommandEvent.PUBLISHING: CommandState.SENT,
        CommandEvent.TIME_IS_UP: CommandState.EXPIRED,
    },
    CommandState.SENT: {CommandEvent.TIME_IS_UP: CommandState.UNANSWERED, **_ANSWERS},
    CommandState.UNANSWERED: dict(_ANSWERS),
    CommandState.ACCEPTED: dict(_ENDS),
}
"""A state without a row is terminal; an event without an entry changes nothing."""

TERMINAL = frozenset(CommandState) - frozenset(TRANSITIONS)
AWAITING = frozenset({CommandState.QUEUED, CommandState.SENT})
"""Not answered and not given up: sent (again) until the time is up."""


def after(state: CommandState, event: CommandEvent) -> CommandState:
    """The state after an event; the same state where the event changes nothing."""
    return TRANSITIONS.get(state, {}).get(event, state)


def mermaid() -> str:
    """The table as a Mermaid state diagram, for the documents."""
    lines = ["stateDiagram-v2", f"    [*] --> {CommandState.QUEUED}"]
    for state, row in TRANSITIONS.items():
        merged: dict[CommandState, list[str]] = {}
        for event, target in row.items():
            merged.setdefault(target, []).append(event.value)
        lines += [
            f"    {state} --> {target}: {', '.join(events)}" for target, events in merged.items()
        ]
    lines += [f"    {state} --> [*]" for state in CommandState if state in TERMINAL]
    return "\n".join(lines) + "\n"


def diagram_page() -> str:
    """The page `docs/diagrams/controller-command.md`."""
    return (
        "# The life of a command on the controller\n\n"
        "Written by `python -m controller.fleet.command_life`; a test compares it with the table.\n"
        "A command that may have reached its node and was not answered in time is `unanswered`:\n"
        "not known, and still open to the answer in the node's buffer.\n\n"
        f"```mermaid\n{mermaid()}```\n"
    )


if __name__ == "__main__":
    import sys

    sys.stdout.write(diagram_page())
