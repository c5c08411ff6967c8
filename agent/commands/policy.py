"""Whose commands are taken, how much is kept of them, and what is counted."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.messages.reply import Reply


@dataclass(frozen=True, slots=True)
class Address:
    """Whose commands these are: the node and its event stream."""

    node: str
    stream: int


@dataclass(frozen=True, slots=True)
class CommandPolicy:
    """`keys` are the trusted public keys by key id; `most_open` bounds the open commands of one
    device, `most_kept` the journal; ended commands are kept `keep_ms` (never less than their
    lifetime)."""

    keys: Mapping[bytes, Ed25519PublicKey]
    most_open: int = 20
    most_kept: int = 20_000
    keep_ms: int = 30 * 86_400_000


@dataclass(slots=True)
class CommandStats:
    """Counts since the start, for the status page and the metrics."""

    received: int = 0
    unproven: int = 0
    repeated: int = 0
    silenced: int = 0
    """Messages that move nothing and were not even answered, to bound what a replay can cost."""
    answered: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Answers by (state, problem)."""
    admitted: int = 0
    admission_s: float = 0.0
    """Seconds from a message's arrival to its committed `accepted`, in sum."""
    slowest_admission_s: float = 0.0

    def count_admission(self, seconds: float) -> None:
        """One more command was admitted, so long after its message arrived."""
        self.admitted += 1
        self.admission_s += seconds
        self.slowest_admission_s = max(self.slowest_admission_s, seconds)

    def count_answer(self, reply: Reply) -> None:
        """One more answer was committed."""
        self.answered[reply.state.value, reply.problem] += 1
