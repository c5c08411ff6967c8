"""What clients are told about approvals."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from shared.approvals.encoding import decode
from shared.approvals.exchange import to_base64
from shared.approvals.words import headline, lines
from shared.errors import BadInputError
from shared.time import from_ms

_UNREADABLE = "The kept intent is not one: it was changed after it was asked for"


class AwaitedApproval(BaseModel):
    """Something that others have to approve before it is done."""

    approval: str = Field(description="The id of the approval request")


class PolicyView(BaseModel):
    """Who may approve, and how many different people of them must."""

    people: list[str]
    quorum: int


class ApprovalSummary(BaseModel):
    """A request in one line, computed from the bytes that are signed."""

    id: str
    kind: str
    headline: str
    initiator: str
    rule: str
    state: str
    created: datetime
    expires: datetime
    deadline: datetime
    version: int

    @classmethod
    def of(cls, row: Row[Any]) -> "ApprovalSummary":
        """From a row of `approval_requests`."""
        return cls(**_summary(row))


class AnswerView(BaseModel):
    """What somebody answered."""

    person: str
    decision: str
    key_id: str
    key_kind: str
    time: datetime


class Line(BaseModel):
    """A field of the intent in words."""

    label: str
    value: str


class Approval(ApprovalSummary):
    """A request with what approvers sign: `id`, `intent`, `digest`, `initiator`, `policy` and
    `expires_at_ms` make up the statement; `lines` tell the intent, computed from its bytes."""

    intent: str = Field(description="Deterministic CBOR, base64")
    digest: str = Field(description="SHA-256 in the domain of intents, hexadecimal")
    policy: PolicyView
    expires_at_ms: int
    lines: list[Line]
    answers: list[AnswerView]
    decided: datetime | None
    ended: datetime | None
    outcome: str | None = Field(description="What the act made, such as the id of a command")

    @classmethod
    def whole(cls, row: Row[Any], answers: Sequence[Row[Any]]) -> "Approval":
        """From a row and the answers to it."""
        content = bytes(row.intent)
        return cls(
            **_summary(row),
            intent=to_base64(content),
            digest=bytes(row.digest).hex(),
            policy=PolicyView(**row.policy),
            expires_at_ms=row.expires_ms,
            lines=_lines(content),
            answers=[
                AnswerView(
                    person=answer.person,
                    decision=answer.decision,
                    key_id=bytes(answer.wire_key_id).hex(),
                    key_kind=answer.key_kind,
                    time=from_ms(answer.created_ms),
                )
                for answer in answers
            ],
            decided=_time(row.decided_ms),
            ended=_time(row.ended_ms),
            outcome=row.outcome,
        )


class KeyView(BaseModel):
    """An approver's key. It counts once it is `confirmed`, until it is `revoked`."""

    id: int
    person: str
    kind: str
    key_id: str = Field(description="The fingerprint")
    name: str
    own: bool = Field(description="Whether it is the caller's")
    created: datetime
    confirmed: datetime | None
    revoked: datetime | None

    @classmethod
    def of(cls, row: Row[Any], user_id: int) -> "KeyView":
        """From a key's row, for this account."""
        return cls(
            id=row.id,
            person=row.person,
            kind=row.kind,
            key_id=bytes(row.key_id).hex(),
            name=row.name,
            own=row.user_id == user_id,
            created=from_ms(row.created_ms),
            confirmed=_time(row.confirmed_ms),
            revoked=_time(row.revoked_ms),
        )


class Keys(BaseModel):
    """Every key, oldest first."""

    items: list[KeyView]


class CeremonyOptions(BaseModel):
    """What `navigator.credentials` takes as `publicKey`, in WebAuthn's JSON form."""

    public_key: dict[str, Any]


def _summary(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "headline": _headline(bytes(row.intent)),
        "initiator": row.initiator,
        "rule": row.rule,
        "state": row.state,
        "created": from_ms(row.created_ms),
        "expires": from_ms(row.expires_ms),
        "deadline": from_ms(row.deadline_ms),
        "version": row.version,
    }


def _headline(content: bytes) -> str:
    try:
        return headline(decode(content))
    except BadInputError:
        return _UNREADABLE


def _lines(content: bytes) -> list[Line]:
    try:
        return [Line(label=label, value=value) for label, value in lines(decode(content))]
    except BadInputError as error:
        return [Line(label=_UNREADABLE, value=str(error))]


def _time(time_ms: int | None) -> datetime | None:
    return None if time_ms is None else from_ms(time_ms)
