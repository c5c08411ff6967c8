"""Whether a host that presents a token is let in. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network

from controller.enrolment.life import EnrolmentState
from shared.errors import BadInputError

TOKEN_LIFETIME_MS = 3_600_000
CONFIRM_WITHIN_MS = 3_600_000
"""How long a host waits for the operator, counted from when it presented the token."""
DELIVER_WITHIN_MS = 3_600_000
"""How long a host that lost the answer may fetch its certificate again, with the same key."""


class Verdict(StrEnum):
    """What is done for the host."""

    ISSUE = "issue"
    LAY_BEFORE_OPERATOR = "lay before the operator"
    WAIT = "wait"
    DELIVER_AGAIN = "deliver again"


class Refusal(StrEnum):
    """Why a host is not let in."""

    UNKNOWN_TOKEN = "unknown token"  # noqa: S105 - a reason
    RESERVED_NAME = "a name of the company's own programs"
    WRONG_NAME = "for another name"
    WRONG_PLACE = "from the wrong place"
    USED = "used"
    OTHER_KEY = "presented by another key"
    LATE = "late"
    WITHDRAWN = "withdrawn"
    NOT_CONFIRMED = "refused by the operator"


@dataclass(frozen=True, slots=True)
class Offer:
    """A token as the database knows it; times in real UTC milliseconds."""

    state: EnrolmentState
    node: str
    confirm_key: bool
    network: str | None
    expires_ms: int
    key_sha256: bytes | None
    """Of the key that was presented with it."""
    finished_ms: int | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A host that presents a token: the name it asks for, its key's SHA-256, where it is."""

    node: str
    key_sha256: bytes
    address: str


def judge(offer: Offer | None, attempt: Attempt, now_ms: int) -> Verdict | Refusal:
    """What becomes of an attempt; `offer` is None for a token that nobody issued."""
    if offer is None:
        return Refusal.UNKNOWN_TOKEN
    if attempt.node != offer.node:
        return Refusal.WRONG_NAME
    if not is_within(attempt.address, offer.network):
        return Refusal.WRONG_PLACE
    same_key = attempt.key_sha256 == offer.key_sha256
    match offer.state:
        case EnrolmentState.USED:
            finished_ms = offer.finished_ms or 0
            in_time = now_ms < finished_ms + DELIVER_WITHIN_MS
            return Verdict.DELIVER_AGAIN if same_key and in_time else Refusal.USED
        case EnrolmentState.WITHDRAWN:
            return Refusal.WITHDRAWN
        case EnrolmentState.REFUSED:
            return Refusal.NOT_CONFIRMED
        case EnrolmentState.EXPIRED:
            return Refusal.LATE
        case _:
            return _open(offer, now_ms, same_key=same_key)


def _open(offer: Offer, now_ms: int, *, same_key: bool) -> Verdict | Refusal:
    if now_ms >= offer.expires_ms:
        return Refusal.LATE
    if offer.state is EnrolmentState.AWAITING_CONFIRMATION:
        return Verdict.WAIT if same_key else Refusal.OTHER_KEY
    return Verdict.LAY_BEFORE_OPERATOR if offer.confirm_key else Verdict.ISSUE


def taken(node: str) -> str:
    """Why a name is not given, in words that are the same whoever has it: a node of another site,
    one with another role, an open token of another site, one of the company's own programs."""
    return f"the name {node} is not free for this site and role"


def checked_network(text: str) -> str:
    """A network (CIDR) or address in its usual form; `BadInputError` when it is none."""
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise BadInputError("network", repr(text)[:80], "an address or CIDR") from error


def is_within(address: str, network: str | None) -> bool:
    """Whether an address is in a network (CIDR); True without a network, False if it is none."""
    if network is None:
        return True
    try:
        place = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(place, "ipv4_mapped", None)
    return (mapped or place) in ip_network(network)
