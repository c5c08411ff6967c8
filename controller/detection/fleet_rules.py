"""What births, states and replies of nodes give away. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from controller.detection.kinds import SecurityKind
from shared.messages.reply import TERMINAL, Reply

MOST_BOOTS = 8
REPEATED_AFTER_MS = 60_000
"""A final reply given again this long after the first is no second delivery of the same order."""
_REFUSALS = {
    "foreign_node": SecurityKind.COMMAND_FORGED,
    "foreign_stream": SecurityKind.COMMAND_REPLAYED,
    "old_number": SecurityKind.COMMAND_REPLAYED,
    "too_late": SecurityKind.COMMAND_REPLAYED,
    "not_yet": SecurityKind.COMMAND_FORGED,
    "malformed": SecurityKind.COMMAND_FORGED,
}


@dataclass(frozen=True, slots=True)
class Noticed:
    """What a security event is made of, its subject aside: that is the node."""

    kind: SecurityKind
    detail: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Boot:
    """A start of an agent, and the newest time that it gave with being online."""

    id: str
    told_ms: int


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a node before a birth: its newest birth's stream, number and boot, the boots
    that were online (the newest last), the accepted hashes by name."""

    telemetry_stream: int | None
    birth_number: int | None
    birth_boot: str | None = None
    boots: tuple[Boot, ...] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Born:
    """What a birth says."""

    telemetry_stream: int
    number: int
    boot_id: str
    software: str
    hashes: Mapping[str, str]
    stream_is_new: bool


def judge_birth(known: Known, born: Born, allowed_software: Iterable[str]) -> list[Noticed]:
    """What is wrong with a birth. Nothing follows from one that tells of another boot than the one
    that is online: an agent keeps those that its buffer names, and sends them when asked."""
    if not tells_of_now(known.boots, born.boot_id):
        return []
    noticed = _rolled_back(known, born)
    allowed = set(allowed_software)
    listed = {"software"} if allowed else set()  # the list decides instead
    noticed += _drifted(known.hashes, born.hashes, listed)
    runs = {born.software, born.hashes.get("software", "")}
    if allowed and not runs & allowed:
        detail = {"software": born.software, "sha256": born.hashes.get("software", "not told")}
        noticed.append(Noticed(SecurityKind.SOFTWARE_UNEXPECTED, detail))
    return noticed


def tells_of_now(boots: Sequence[Boot], boot_id: str) -> bool:
    """Whether a birth's boot is the one that is online, as far as is known: agents say that they
    are online before they send a birth."""
    return not boots or boots[-1].id == boot_id


def _rolled_back(known: Known, born: Born) -> list[Noticed]:
    """A boot's first birth that counts from below, or goes on with a stream given up."""
    if known.telemetry_stream is None or born.boot_id == known.birth_boot or born.stream_is_new:
        return []
    if born.telemetry_stream != known.telemetry_stream:
        detail: dict[str, str | int] = {"of": "stream", "stream": str(born.telemetry_stream)}
        return [Noticed(SecurityKind.SEQUENCE_ROLLBACK, detail)]
    if born.number < (known.birth_number or 0):
        detail = {"of": "birth", "number": born.number, "reached": known.birth_number or 0}
        return [Noticed(SecurityKind.SEQUENCE_ROLLBACK, detail)]
    return []


def _drifted(
    accepted: Mapping[str, str], said: Mapping[str, str], but: AbstractSet[str]
) -> list[Noticed]:
    return [
        Noticed(
            SecurityKind.CONFIGURATION_DRIFT,
            {"of": name, "was": accepted[name], "is": said[name]},
        )
        for name in sorted((accepted.keys() & said.keys()) - but)
        if accepted[name] != said[name]
    ]


def accepted_after(accepted: Mapping[str, str], said: Mapping[str, str]) -> dict[str, str]:
    """The hashes that later births are held against: the first of each name, until a person
    accepts another."""
    return {**said, **accepted}


def boots_after(boots: Sequence[Boot], boot: Boot) -> tuple[Boot, ...]:
    """The recent boots, each once, in the order in which they were last told to be online. What
    was told before is told again by the broker, and changes nothing."""
    if any(known.id == boot.id and boot.told_ms <= known.told_ms for known in boots):
        return tuple(boots)
    return (*(known for known in boots if known.id != boot.id), boot)[-MOST_BOOTS:]


def returns(boots: Sequence[Boot], boot: Boot) -> bool:
    """Whether an earlier boot is online again behind a later one: an agent that has ended does not
    come back under its old boot id, so two are running."""
    return any(known.id == boot.id and boot.told_ms > known.told_ms for known in boots[:-1])


@dataclass(frozen=True, slots=True)
class Issued:
    """The command that a reply answers, as it is here; when it ended, if it has."""

    finished_ms: int | None


def judge_reply(reply: Reply, issued: Issued | None, told_ms: int) -> Noticed | None:
    """What a reply tells of the order it answers; `issued` None: no such order was given.

    An agent answers every order that is signed. So an answer to an order that nobody here gave
    shows one that was signed elsewhere or kept for later, and a number that is refused as old one
    that came out of turn.
    """
    detail: dict[str, str | int] = {"command": reply.command_id, "problem": reply.problem}
    if issued is None:
        kind = _REFUSALS.get(reply.problem, SecurityKind.COMMAND_UNKNOWN)
        return Noticed(kind, {**detail, "known": "no"})
    if reply.problem in {"old_number", "foreign_node", "foreign_stream"}:
        return Noticed(SecurityKind.COMMAND_REPLAYED, detail)
    if issued.finished_ms is None or reply.state not in TERMINAL:
        return None
    if told_ms - issued.finished_ms > REPEATED_AFTER_MS:
        return Noticed(SecurityKind.COMMAND_REPLAYED, {**detail, "problem": "answered again"})
    return None


def judge_agent_event(data: Mapping[str, object]) -> Noticed | None:
    """The agent's own word that messages without a trusted signature came (`commands_unproven`)."""
    if data.get("what") != "commands_unproven":
        return None
    return Noticed(SecurityKind.COMMAND_FORGED, {"text": str(data.get("text", ""))[:300]})


def judge_refused(field: str, text: str) -> SecurityKind:
    """The kind of event for a message of a node that was refused."""
    foreign = "belongs to another node" in text or "the node of the topic" in text
    if foreign and field in {"stream", "node"}:
        return SecurityKind.STREAM_STOLEN
    if field == "certificate":
        return SecurityKind.REVOKED_NODE_HEARD
    return SecurityKind.MESSAGE_REFUSED
