"""`command`: signed, sequenced, expiring. COSE_Sign1 (RFC 9052 section 4.2) with Ed25519."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.errors import BadInputError
from shared.messages import cbor
from shared.messages.actions import Action, Condition, decode_action, decode_conditions

COSE_SIGN1_TAG = 18
MAX_LIFETIME_MS = 7 * 86_400_000
_ALG_HEADER = 1
_KID_HEADER = 4
_EDDSA = -8


@dataclass(frozen=True, slots=True)
class Command:
    """One order to one node.

    `id` is the controller's unique text id; `stream` the node's event stream and `seq` its number
    in the node's commands, counted up from 1; the times are in ms since the epoch. Every
    condition of `precondition` must hold on readings the agent has, or nothing is done.
    """

    id: str
    node: str
    stream: int
    seq: int
    actor: str
    issued_at_ms: int
    not_before_ms: int
    expires_at_ms: int
    action: Action
    precondition: tuple[Condition, ...] = ()

    def encode(self) -> bytes:
        """The payload that is signed."""
        return cbor.encode(
            {
                "action": self.action.name,
                "actor": self.actor,
                "expires_at": self.expires_at_ms,
                "id": self.id,
                "issued_at": self.issued_at_ms,
                "node": self.node,
                "not_before": self.not_before_ms,
                "params": self.action.to_params(),
                "precondition": [c.to_row() for c in self.precondition],
                "seq": self.seq,
                "stream": self.stream,
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> "Command":
        """Reads a payload; `BadInputError` when it is not a command."""
        fields = cbor.expect_map(cbor.decode(payload, "command"), "command")
        issued_at_ms = _time(fields, "issued_at")
        return cls(
            id=cbor.expect_text(cbor.take(fields, "id"), "id", 64),
            node=cbor.expect_text(cbor.take(fields, "node"), "node", 63),
            stream=cbor.expect_int(cbor.take(fields, "stream"), "stream"),
            seq=cbor.expect_int(cbor.take(fields, "seq"), "seq", 1),
            actor=cbor.expect_text(cbor.take(fields, "actor"), "actor"),
            issued_at_ms=issued_at_ms,
            not_before_ms=_time(fields, "not_before"),
            expires_at_ms=cbor.expect_int(
                cbor.take(fields, "expires_at"),
                "expires_at",
                issued_at_ms,
                issued_at_ms + MAX_LIFETIME_MS,
            ),
            action=decode_action(
                cbor.expect_text(cbor.take(fields, "action"), "action", 40),
                cbor.expect_map(cbor.take(fields, "params"), "params"),
            ),
            precondition=decode_conditions(cbor.take(fields, "precondition")),
        )


def sign(command: Command, key: Ed25519PrivateKey, key_id: bytes) -> bytes:
    """The signed message: a tagged COSE_Sign1 whose protected header names algorithm and key."""
    protected = cbor.encode({_ALG_HEADER: _EDDSA, _KID_HEADER: key_id})
    payload = command.encode()
    signature = key.sign(_signature_input(protected, payload))
    return cbor.encode(cbor2.CBORTag(COSE_SIGN1_TAG, [protected, {}, payload, signature]))


def verify(message: bytes, keys: Mapping[bytes, Ed25519PublicKey]) -> Command:
    """The command inside, once its signature is proven by one of `keys` (by key id).

    `BadInputError` with field `signature` when it is not; nothing of an unproven message is
    looked at beyond its frame.
    """
    return Command.decode(prove(message, keys))


def prove(message: bytes, keys: Mapping[bytes, Ed25519PublicKey]) -> bytes:
    """The payload inside, once its signature is proven by one of `keys`, not yet read.

    `BadInputError` as for `verify`; its field is `command`, `protected` or `signature`.
    """
    protected, payload, signature = _open(message)
    header = cbor.decode(protected, "protected")
    if not isinstance(header, dict) or header.get(_ALG_HEADER) != _EDDSA:
        raise BadInputError("protected", "not EdDSA", "algorithm -8 (EdDSA)")
    key_id = header.get(_KID_HEADER)
    key = keys.get(key_id) if isinstance(key_id, bytes) else None
    if key is None:
        raise BadInputError("signature", "made by a key that is not trusted here", "a trusted key")
    try:
        key.verify(signature, _signature_input(protected, payload))
    except InvalidSignature as error:
        raise BadInputError("signature", "does not fit the message", "a valid one") from error
    return payload


def unproven_payload(message: bytes) -> bytes:
    """The payload inside without any proof: to be shown to a person, never to be acted on."""
    _, payload, _ = _open(message)
    return payload


def _open(message: bytes) -> tuple[bytes, bytes, bytes]:
    match cbor.decode_tagged(message, COSE_SIGN1_TAG, "command"):
        case [bytes(protected), Mapping() as unprotected, bytes(payload), bytes(signature)] if (
            not unprotected
        ):
            return protected, payload, signature
    raise BadInputError("command", "not a COSE_Sign1", "[protected, {}, payload, signature]")


def _signature_input(protected: bytes, payload: bytes) -> bytes:
    """Sig_structure of RFC 9052 section 4.4, without external data."""
    return cbor.encode(["Signature1", protected, b"", payload])


def _time(fields: Mapping[str, Any], key: str) -> int:
    return cbor.expect_int(cbor.take(fields, key), key)
