"""Whether a command may act. Pure: (command, what is kept, the moment, the role's word) -> verdict.

The accident this prevents is a breaker that moves on an order that is not for now, not for here or
not for the first time. What guards against it, in the order in which it is looked at:

1. the node and the stream: an order for another node, or for the database this node has lost;
2. the id: an order that was answered before gets that answer again;
3. the number: only one above the last accepted may act. Numbers may be missing (a lost message
   costs one order, not all that follow it); the gap is reported;
4. the clock: see `Moment`;
5. the times, the room in the journal, and what the role says of its devices.

What it does not guarantee: with a clock that is wrong and has not visibly jumped, an order that was
held back on the way can act after its end, at most once and only until a later one arrives, whose
`issued_at` this node then knows to have passed.
"""

from dataclasses import dataclass
from enum import StrEnum

from shared.messages.command import Command
from shared.messages.reply import Reply, ReplyState
from shared.time import iso_utc


class Problem(StrEnum):
    """Why a command did not end well, as the code of its reply."""

    MALFORMED = "malformed"
    FOREIGN_NODE = "foreign_node"
    FOREIGN_STREAM = "foreign_stream"
    OLD_NUMBER = "old_number"
    CLOCK_UNTRUSTED = "clock_untrusted"
    NOT_YET = "not_yet"
    TOO_LATE = "too_late"
    BUSY = "busy"
    NOT_NOW = "not_now"
    KEY_WITHDRAWN = "key_withdrawn"
    CUT_OFF = "cut_off"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Moment:
    """What the time is and whether to believe it.

    `clock_trusted` is False from a jump of the wall clock against the monotonic one until the clock
    is known to be synchronised or has come back; until then no command acts, for its times mean
    nothing. `tolerance_ms` is what the controller's clock may be ahead.
    """

    time_ms: int
    clock_trusted: bool = True
    tolerance_ms: int = 0


@dataclass(frozen=True, slots=True)
class Marks:
    """High-water marks of one stream's commands; they outlive the commands themselves.

    `last_accepted` guards against old numbers; `last_seen` also counts refused ones, for gap
    reports; `latest_issued_ms` is a time that the controller has certainly reached.
    """

    last_accepted: int = 0
    last_seen: int = 0
    latest_issued_ms: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """What the node knows when a command arrives: who it is, its marks, the same id's answer,
    and whether there is room for one more on the journal and on the device."""

    node: str
    stream: int
    marks: Marks = Marks()
    answered: Reply | None = None
    room: bool = True


@dataclass(frozen=True, slots=True)
class Admit:
    """Write it down and carry it out."""


@dataclass(frozen=True, slots=True)
class Decline:
    """Answer so and move nothing. `keep`: write the answer down as this id's own; where there is
    no room for that the number is used up, so that the order cannot be admitted later."""

    state: ReplyState
    problem: Problem
    text: str
    keep: bool = True


@dataclass(frozen=True, slots=True)
class Repeat:
    """Give the answer that this id was given before."""

    reply: Reply


Verdict = Admit | Decline | Repeat


def judge(command: Command, kept: Kept, moment: Moment, why_not: str | None) -> Verdict:
    """The verdict on a command whose signature is proven; `why_not` is the role's own word."""
    if command.node != kept.node:
        text = f"meant for node {command.node}"
        return Decline(ReplyState.REFUSED, Problem.FOREIGN_NODE, text, keep=False)
    if command.stream != kept.stream:
        text = f"meant for stream {command.stream}; this node's is {kept.stream}"
        return Decline(ReplyState.REFUSED, Problem.FOREIGN_STREAM, text, keep=False)
    if kept.answered is not None:
        return Repeat(kept.answered)
    if command.seq <= kept.marks.last_accepted:
        text = f"number {command.seq} is not above {kept.marks.last_accepted}, the last accepted"
        return Decline(ReplyState.REFUSED, Problem.OLD_NUMBER, text)
    decline = untimely(command, kept.marks, moment)
    if decline is not None:
        return decline
    if not kept.room:
        text = "too many commands are open or kept on this node"
        return Decline(ReplyState.REFUSED, Problem.BUSY, text, keep=False)
    if why_not is not None:
        return Decline(ReplyState.REFUSED, Problem.NOT_NOW, why_not)
    return Admit()


def judge_again(
    command: Command, marks: Marks, moment: Moment, why_not: str | None
) -> Decline | None:
    """Whether an admitted command must end unperformed, asked just before a device is touched
    (for the first time, or again after a crash); None when it may go on."""
    decline = untimely(command, marks, moment)
    if decline is not None:
        return decline
    if why_not is not None:
        return Decline(ReplyState.REFUSED, Problem.NOT_NOW, why_not)
    return None


def doubt(decline: Decline) -> Decline:
    """What to answer instead when a device may have been touched before the agent was cut off:
    nothing more is written, and nobody says that nothing happened."""
    text = f"cut off while acting, then not finished: {decline.text}"
    return Decline(ReplyState.UNVERIFIED, Problem.CUT_OFF, text)


def missed(marks: Marks, seq: int) -> tuple[int, int] | None:
    """The numbers (first, last) that this one shows to be missing, if any."""
    return (marks.last_seen + 1, seq - 1) if seq > marks.last_seen + 1 else None


def marks_after(marks: Marks, command: Command, verdict: Verdict, moment: Moment) -> Marks:
    """The marks once the verdict on a command of this node and stream stands."""
    if isinstance(verdict, Repeat):
        return marks
    busy = isinstance(verdict, Decline) and verdict.problem is Problem.BUSY
    uses_number = isinstance(verdict, Admit) or busy
    issued_ms = command.issued_at_ms
    has_passed = moment.clock_trusted and issued_ms <= moment.time_ms + moment.tolerance_ms
    return Marks(
        last_accepted=max(marks.last_accepted, command.seq if uses_number else 0),
        last_seen=max(marks.last_seen, command.seq),
        latest_issued_ms=max(marks.latest_issued_ms, issued_ms if has_passed else 0),
    )


def untimely(command: Command, marks: Marks, moment: Moment) -> Decline | None:
    """Why this moment is none at which the command may act; None when it is one."""
    if not moment.clock_trusted:
        text = "this node's clock jumped and is not synchronised; no order's times can be judged"
        return Decline(ReplyState.REFUSED, Problem.CLOCK_UNTRUSTED, text)
    latest_ms = moment.time_ms + moment.tolerance_ms
    if max(command.not_before_ms, command.issued_at_ms) > latest_ms:
        from_ms = max(command.not_before_ms, command.issued_at_ms)
        text = f"not before {iso_utc(from_ms)}; it is {iso_utc(moment.time_ms)}"
        return Decline(ReplyState.REFUSED, Problem.NOT_YET, text)
    now_ms = max(moment.time_ms, marks.latest_issued_ms)
    if command.expires_at_ms <= now_ms:
        text = f"expired at {iso_utc(command.expires_at_ms)}; it is {iso_utc(now_ms)}"
        return Decline(ReplyState.EXPIRED, Problem.TOO_LATE, text)
    return None
