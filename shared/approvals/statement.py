"""What a decision signs: the intent's digest with everything that gives the signature its weight.

A signature fits one request, one intent, one policy, one key and one answer. So it cannot be moved
to another request, turned from a refusal into an approval, or made to count under a policy that
asks for fewer people than the approver saw.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.approvals import fields as check
from shared.approvals.encoding import digest_of
from shared.errors import BadInputError
from shared.messages import cbor

MAX_PEOPLE = 50
_STATEMENT_DOMAIN = b"bes approvals: decision v1\x00"
_CHALLENGE_DOMAIN = b"bes approvals: passkey challenge v1\x00"


class Decision(StrEnum):
    """What an approver says."""

    APPROVE = "approve"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may approve, and how many different people of them must."""

    people: tuple[str, ...]
    quorum: int

    def __post_init__(self) -> None:
        for person in self.people:
            check.name_text(person, "policy.people")
        if not self.people or len(set(self.people)) != len(self.people):
            raise BadInputError("policy.people", "nobody, or somebody twice", "different people")
        if len(self.people) > MAX_PEOPLE or tuple(sorted(self.people)) != self.people:
            raise BadInputError("policy.people", "too many or unsorted", f"{MAX_PEOPLE}, sorted")
        cbor.expect_int(self.quorum, "policy.quorum", 1, len(self.people))

    @classmethod
    def of(cls, people: tuple[str, ...], quorum: int) -> "Policy":
        """A policy of people in any order."""
        return cls(tuple(sorted(people)), quorum)

    def can_decide_without(self, initiator: str) -> bool:
        """Whether the quorum can be reached by others than the initiator."""
        return len(set(self.people) - {initiator}) >= self.quorum

    def to_data(self) -> dict[str, Any]:
        """`{"people": [...], "quorum": n}`."""
        return {"people": list(self.people), "quorum": self.quorum}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Policy":
        """Reads `to_data`'s."""
        people, quorum = check.take(data, "people", "quorum")
        return cls(tuple(cbor.expect_list(people, "policy.people", MAX_PEOPLE)), quorum)


@dataclass(frozen=True, slots=True)
class Case:
    """A request as approvers see it. `expires_at_ms` is when signatures stop to count."""

    request: str
    intent: bytes
    initiator: str
    policy: Policy
    expires_at_ms: int

    def __post_init__(self) -> None:
        check.name_text(self.request, "request")
        check.name_text(self.initiator, "initiator")
        cbor.expect_int(self.expires_at_ms, "expires_at_ms", 1, check.MAX_DEADLINE_MS)

    @property
    def digest(self) -> bytes:
        """The digest of the intent."""
        return digest_of(self.intent)

    def statement(self, key_id: bytes, decision: Decision) -> bytes:
        """The bytes that an Ed25519 key signs to say so."""
        return _STATEMENT_DOMAIN + cbor.encode(
            {
                "decision": decision.value,
                "expires_at_ms": self.expires_at_ms,
                "initiator": self.initiator,
                "intent_digest": self.digest,
                "key_id": key_id,
                "policy": self.policy.to_data(),
                "request": self.request,
            }
        )

    def challenge(self, key_id: bytes, decision: Decision) -> bytes:
        """The challenge that a passkey answers to say so: a digest of the same statement."""
        return hashlib.sha256(_CHALLENGE_DOMAIN + self.statement(key_id, decision)).digest()
