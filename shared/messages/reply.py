"""Replies to commands: steps in a command's life, as data of `reply` events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.errors import BadInputError
from shared.messages import cbor


class ReplyState(StrEnum):
    """A step. `accepted` is followed by exactly one of the others; these may also stand alone."""

    ACCEPTED = "accepted"
    DONE = "done"
    REFUSED = "refused"
    EXPIRED = "expired"
    FAILED = "failed"
    UNVERIFIED = "unverified"


TERMINAL = frozenset(ReplyState) - {ReplyState.ACCEPTED}


@dataclass(frozen=True, slots=True)
class Reply:
    """One step of the command `command_id` (number `seq`).

    `problem` is a fixed code with a text ("" when there is none); `readback` what was read from
    the device afterwards, by metric name.
    """

    command_id: str
    seq: int
    state: ReplyState
    problem: str = ""
    text: str = ""
    readback: Mapping[str, Any] = field(default_factory=dict)

    def to_data(self) -> dict[str, Any]:
        """The data of a `reply` event."""
        return {
            "command_id": self.command_id,
            "problem": self.problem,
            "readback": dict(self.readback),
            "seq": self.seq,
            "state": self.state.value,
            "text": self.text,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Reply":
        """Reads the data of a `reply` event; `BadInputError` when it breaks the form."""
        state = cbor.take(data, "state")
        if not isinstance(state, str) or state not in set(ReplyState):
            raise BadInputError("state", repr(state)[:40], ", ".join(ReplyState))
        return cls(
            command_id=cbor.expect_text(cbor.take(data, "command_id"), "command_id", 64),
            seq=cbor.expect_int(cbor.take(data, "seq"), "seq"),
            state=ReplyState(state),
            problem=_text(data, "problem", 40),
            text=_text(data, "text", 500),
            readback=cbor.expect_map(cbor.take(data, "readback"), "readback"),
        )


def _text(data: Mapping[str, Any], key: str, most: int) -> str:
    value = cbor.take(data, key)
    if not isinstance(value, str) or len(value) > most:
        raise BadInputError(key, repr(value)[:40], f"text of at most {most} characters")
    return value
