"""The kinds of security events: how severe each is, and what it means in plain words."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from shared.messages.event import Severity


class SecurityKind(StrEnum):
    """What was noticed; the value is what the database and the webhook say."""

    SIGN_IN_FAILED = "sign_in_failed"
    ACCOUNT_LOCKED = "account_locked"
    ACCESS_REFUSED = "access_refused"
    REQUEST_FORGED = "request_forged"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - a kind
    SESSION_REFUSED = "session_refused"
    PASSKEY_REFUSED = "passkey_refused"
    GRANT_REFUSED = "grant_refused"
    APPROVAL_REFUSED = "approval_refused"
    ENROLMENT_REFUSED = "enrolment_refused"
    ENROLMENT_THROTTLED = "enrolment_throttled"
    CERTIFICATE_REVOKED = "certificate_revoked"
    RENEWAL_REFUSED = "renewal_refused"
    RENEWED_LATE = "renewed_late"
    CERTIFICATE_FOUND_AGAIN = "certificate_found_again"
    DATABASE_PUT_BACK = "database_put_back"
    INTERMEDIATE_ENDS = "intermediate_ends"
    REVOKED_NODE_HEARD = "revoked_node_heard"
    CERTIFICATE_REFUSED = "certificate_refused"
    CONNECTION_REFUSED = "connection_refused"
    PUBLISH_REFUSED = "publish_refused"
    SUBSCRIPTION_REFUSED = "subscription_refused"
    OVERSIZED_MESSAGE = "oversized_message"
    PROTOCOL_VIOLATION = "protocol_violation"
    QUEUE_OVERFLOW = "queue_overflow"
    BROKER_LOG_LOST = "broker_log_lost"
    BROKER_MISCONFIGURED = "broker_misconfigured"
    MESSAGE_REFUSED = "message_refused"
    STREAM_STOLEN = "stream_stolen"
    SEQUENCE_ROLLBACK = "sequence_rollback"
    COMMAND_FORGED = "command_forged"
    COMMAND_REPLAYED = "command_replayed"
    COMMAND_UNKNOWN = "command_unknown"
    CONFIGURATION_DRIFT = "configuration_drift"
    AGENT_AT_TWO_PLACES = "agent_at_two_places"
    SOFTWARE_UNEXPECTED = "software_unexpected"
    WEBHOOK_DEAD = "webhook_dead"
    AUDIT_LOG_DAMAGED = "audit_log_damaged"
    TIMESTAMP_REFUSED = "timestamp_refused"


@dataclass(frozen=True, slots=True)
class KindMeaning:
    """How much a kind matters, and what a person reads."""

    severity: Severity
    text: str


_INFO, _WARNING, _CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL
_K = SecurityKind

MEANINGS: Mapping[SecurityKind, KindMeaning] = MappingProxyType(
    {
        _K.SIGN_IN_FAILED: KindMeaning(_WARNING, "A sign-in failed."),
        _K.ACCOUNT_LOCKED: KindMeaning(
            _CRITICAL, "An account or address is locked after too many failed sign-ins."
        ),
        _K.ACCESS_REFUSED: KindMeaning(
            _WARNING, "Someone signed in asked for what the granted roles do not give."
        ),
        _K.REQUEST_FORGED: KindMeaning(
            _CRITICAL,
            "A browser brought a request that did not come from our own page; it was not taken.",
        ),
        _K.TOKEN_REFUSED: KindMeaning(
            _WARNING, "An API token was refused: unknown, expired, revoked or of a closed account."
        ),
        _K.SESSION_REFUSED: KindMeaning(
            _WARNING,
            "A change was asked for with a session that is over or never was, or anything at all "
            "with one whose second factor is missing.",
        ),
        _K.PASSKEY_REFUSED: KindMeaning(
            _WARNING,
            "A passkey that was to be added was made for another page, without its user, or by "
            "another.",
        ),
        _K.GRANT_REFUSED: KindMeaning(
            _CRITICAL, "An administrator tried to do alone what needs another one's agreement."
        ),
        _K.APPROVAL_REFUSED: KindMeaning(_WARNING, "An approval was refused."),
        _K.ENROLMENT_REFUSED: KindMeaning(_WARNING, "A host that wanted to enrol was refused."),
        _K.ENROLMENT_THROTTLED: KindMeaning(_WARNING, "Enrolment was tried too often."),
        _K.CERTIFICATE_REVOKED: KindMeaning(_WARNING, "A node's certificate was revoked."),
        _K.RENEWAL_REFUSED: KindMeaning(_WARNING, "A certificate's renewal was refused."),
        _K.RENEWED_LATE: KindMeaning(_INFO, "A certificate was renewed after it had run out."),
        _K.CERTIFICATE_FOUND_AGAIN: KindMeaning(
            _WARNING,
            "A node renewed a certificate of ours that the database does not know: the database "
            "was put back to an older copy.",
        ),
        _K.DATABASE_PUT_BACK: KindMeaning(
            _CRITICAL,
            "The broker's revocation list knew more than the database, which was put back to an "
            "older copy: what is listed was taken over, and open enrolment tokens withdrawn.",
        ),
        _K.INTERMEDIATE_ENDS: KindMeaning(
            _CRITICAL,
            "The intermediate that signs nodes' certificates ends soon: its successor is due.",
        ),
        _K.REVOKED_NODE_HEARD: KindMeaning(
            _CRITICAL,
            "A node without a certificate that counts still speaks through the broker; nothing of "
            "it was taken. The broker has not read the revocation list, or was told to trust more.",
        ),
        _K.CERTIFICATE_REFUSED: KindMeaning(
            _WARNING, "The broker refused a TLS connection: certificate or TLS version."
        ),
        _K.CONNECTION_REFUSED: KindMeaning(_WARNING, "The broker refused a client's connection."),
        _K.PUBLISH_REFUSED: KindMeaning(
            _CRITICAL, "A client published to a topic that is not its own; nothing was passed on."
        ),
        _K.SUBSCRIPTION_REFUSED: KindMeaning(
            _CRITICAL, "A client asked to read topics that are not its own; it reads nothing."
        ),
        _K.OVERSIZED_MESSAGE: KindMeaning(
            _WARNING, "A client sent a message larger than allowed and was disconnected."
        ),
        _K.PROTOCOL_VIOLATION: KindMeaning(
            _WARNING, "A client broke the MQTT protocol and was disconnected."
        ),
        _K.QUEUE_OVERFLOW: KindMeaning(
            _WARNING, "The broker dropped messages of a client that went over its limits."
        ),
        _K.BROKER_LOG_LOST: KindMeaning(
            _WARNING, "The broker's log could not be read on: refusals may have been missed."
        ),
        _K.BROKER_MISCONFIGURED: KindMeaning(
            _CRITICAL,
            "The broker could not load a certificate or revocation list: it may let in whom it "
            "should refuse.",
        ),
        _K.MESSAGE_REFUSED: KindMeaning(
            _WARNING, "A node's message was refused: it breaks the contract of its channel."
        ),
        _K.STREAM_STOLEN: KindMeaning(
            _CRITICAL, "A node sent rows or a birth under another node's name or stream."
        ),
        _K.SEQUENCE_ROLLBACK: KindMeaning(
            _CRITICAL,
            "A node numbers its rows or births below what it had reached: its database was put "
            "back to an older copy, or someone else speaks in its name.",
        ),
        _K.COMMAND_FORGED: KindMeaning(
            _CRITICAL, "A node was sent a command that its controller did not sign."
        ),
        _K.COMMAND_REPLAYED: KindMeaning(
            _CRITICAL, "A node was sent a genuine command again, late or out of order."
        ),
        _K.COMMAND_UNKNOWN: KindMeaning(
            _CRITICAL, "A node answered a command that was never issued to it."
        ),
        _K.CONFIGURATION_DRIFT: KindMeaning(
            _WARNING, "A node runs with a configuration or policy other than the accepted one."
        ),
        _K.AGENT_AT_TWO_PLACES: KindMeaning(
            _CRITICAL, "Two agents use one node's identity: it may have been copied."
        ),
        _K.SOFTWARE_UNEXPECTED: KindMeaning(
            _CRITICAL, "A node runs software that is not on the list of allowed versions."
        ),
        _K.WEBHOOK_DEAD: KindMeaning(
            _WARNING, "A security event could not be delivered to the webhook and was given up."
        ),
        _K.AUDIT_LOG_DAMAGED: KindMeaning(
            _CRITICAL,
            "The stored audit tree is not the one that its head names: someone changed it, or the "
            "database is damaged. Nothing is appended to it.",
        ),
        _K.TIMESTAMP_REFUSED: KindMeaning(
            _WARNING, "An answer of the timestamp authority is no timestamp of the audit log."
        ),
    }
)


def severity_of(kind: SecurityKind) -> Severity:
    """How much an event of this kind matters."""
    return MEANINGS[kind].severity
