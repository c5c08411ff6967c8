"""What the event stream says about commands. Pure."""

from agent.commands.executor import Outcome
from agent.commands.judge import Decline
from shared.messages.command import Command
from shared.messages.event import Event, EventKind, Severity
from shared.messages.reply import Reply, ReplyState

MAX_TEXT = 500
MAX_PROBLEM = 40
_QUIET = frozenset({ReplyState.ACCEPTED, ReplyState.DONE})


def reply_event(reply: Reply, device: str) -> Event:
    """The event that carries an answer."""
    severity = Severity.INFO if reply.state in _QUIET else Severity.WARNING
    return Event(EventKind.REPLY, severity, reply.to_data(), device or None)


def declined(command_id: str, seq: int, decline: Decline) -> Reply:
    """The answer to a command that moves nothing (any more)."""
    text = decline.text[:MAX_TEXT]
    return Reply(command_id, seq, decline.state, decline.problem.value, text)


def ended(command: Command, outcome: Outcome) -> Reply:
    """The answer to a command that was carried out, its words cut to what the wire takes."""
    return Reply(
        command.id,
        command.seq,
        outcome.state,
        outcome.problem[:MAX_PROBLEM],
        outcome.text[:MAX_TEXT],
        dict(outcome.readback),
    )


def missed_event(first: int, last: int, command: Command) -> Event:
    """Numbers that never arrived, seen when `command` did."""
    return Event(
        EventKind.AGENT,
        Severity.WARNING,
        {"what": "commands_missed", "first": first, "last": last, "seen_at": command.seq},
    )


def unproven_event(count: int, problem: str) -> Event:
    """Messages on the command channel that nobody trusted has signed."""
    return Event(
        EventKind.AGENT,
        Severity.CRITICAL,
        {
            "what": "commands_unproven",
            "count": count,
            "text": f"messages without a trusted signature were refused; the last: {problem}"[
                :MAX_TEXT
            ],
        },
    )
