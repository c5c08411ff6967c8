"""The rule: when enough different people have approved exactly this intent in time.

- Only the people that the policy names count, and never the initiator, even if he is named.
- A person counts once, whatever keys he used.
- Only signatures over exactly this intent, request and policy count, by keys in force at `now_ms`.
- One refusal by a named person who is not the initiator ends the request, also against approvals.
- From `expires_at_ms` on nothing is approved any more; what was decided before, whoever keeps the
  request has written down by then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature

from shared.approvals.keys import ApproverKey, KeyKind, ed25519_key
from shared.approvals.life import ApprovalState
from shared.approvals.passkey import RelyingParty, decode_assertion, verify_assertion
from shared.approvals.statement import Case, Decision
from shared.errors import BadInputError


@dataclass(frozen=True, slots=True)
class SignedDecision:
    """An answer with its proof: 64 bytes (Ed25519) or `encode_assertion`'s (passkey)."""

    key_id: bytes
    decision: Decision
    signature: bytes


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom the judge believes: approvers' keys by key id, and the page that passkeys are for.

    `party` None: no passkey counts.
    """

    keys: Mapping[bytes, ApproverKey]
    party: RelyingParty | None = None


class NotCountedError(Exception):
    """A decision that does not count; `reason` is a fixed code, the text says it in words."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Judgement:
    """Where a request stands, and on whose word: names, sorted."""

    state: ApprovalState
    approved_by: tuple[str, ...]
    refused_by: tuple[str, ...]
    not_counted: tuple[str, ...]
    """A reason for each decision that does not count."""


def judge(case: Case, decisions: Sequence[SignedDecision], trust: Trust, now_ms: int) -> Judgement:
    """Pending, approved, refused or expired; a function of its arguments alone."""
    said: dict[Decision, set[str]] = {Decision.APPROVE: set(), Decision.REFUSE: set()}
    reasons: list[str] = []
    for signed in decisions:
        try:
            said[signed.decision].add(person_of(case, signed, trust, now_ms))
        except NotCountedError as error:
            reasons.append(error.reason)
    approved, refused = said[Decision.APPROVE], said[Decision.REFUSE]
    return Judgement(
        _state(case, approved, refused, now_ms),
        tuple(sorted(approved)),
        tuple(sorted(refused)),
        tuple(reasons),
    )


def _state(case: Case, approved: set[str], refused: set[str], now_ms: int) -> ApprovalState:
    if refused:
        return ApprovalState.REFUSED
    if now_ms >= case.expires_at_ms:
        return ApprovalState.EXPIRED
    if len(approved) >= case.policy.quorum:
        return ApprovalState.APPROVED
    return ApprovalState.PENDING


def person_of(case: Case, signed: SignedDecision, trust: Trust, now_ms: int) -> str:
    """Whose decision it is, once it is proven to count; `NotCountedError` otherwise."""
    key = trust.keys.get(signed.key_id)
    if key is None or key.key_id != signed.key_id:
        raise NotCountedError("unknown key", "the key is not an approver's")
    if key.is_revoked(now_ms):
        raise NotCountedError("revoked key", f"the key of {key.person} was revoked")
    if key.person == case.initiator:
        raise NotCountedError("initiator", f"{key.person} asked for it and does not count")
    if key.person not in case.policy.people:
        raise NotCountedError("not named", f"{key.person} is not named by the policy")
    prove(case, signed, key, trust.party)
    return key.person


def prove(
    case: Case, signed: SignedDecision, key: ApproverKey, party: RelyingParty | None
) -> int | None:
    """A passkey's signature counter (None for Ed25519), once the signature is proven to be the
    key's over this case and decision; `NotCountedError` otherwise."""
    if key.kind is KeyKind.ED25519:
        _prove_ed25519(case, signed, key)
        return None
    if party is None:
        raise NotCountedError("passkeys not taken", "no page is set up that passkeys are for")
    try:
        return verify_assertion(
            decode_assertion(signed.signature),
            key.public_key,
            party,
            case.challenge(key.key_id, signed.decision),
        )
    except BadInputError as error:
        raise NotCountedError("bad signature", str(error)) from error


def _prove_ed25519(case: Case, signed: SignedDecision, key: ApproverKey) -> None:
    statement = case.statement(key.key_id, signed.decision)
    try:
        ed25519_key(key.public_key).verify(signed.signature, statement)
    except InvalidSignature as error:
        text = "the signature does not fit this intent, request, policy and decision"
        raise NotCountedError("bad signature", text) from error
