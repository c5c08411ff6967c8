"""People who approve, with keys of both kinds, for tests of approvals."""

import base64
import hashlib
import json
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from shared.approvals.encoding import encode
from shared.approvals.intents import (
    AnyIntent,
    CommandIntent,
    ContractIntent,
    GrantChange,
    PaymentIntent,
    PaymentOutput,
    PolicyIntent,
    UserGrantIntent,
)
from shared.approvals.judgement import SignedDecision, Trust
from shared.approvals.keys import ApproverKey, KeyKind, key_id_of
from shared.approvals.passkey import PasskeyAssertion, RelyingParty, encode_assertion
from shared.approvals.statement import Case, Decision, Policy
from shared.messages import cbor
from shared.messages.actions import Comparison, Condition, SetSetpoint
from shared.setpoints import Stop
from tests.fleets import NOW_MS

PARTY = RelyingParty("bes.example", ("https://bes.example",))
HOUR_MS = 3_600_000

PAYMENT = PaymentIntent(
    wallet="treasury",
    outputs=(
        PaymentOutput(150_000_000, address="bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
        PaymentOutput(0, script=b"\x6a\x04memo"),
    ),
    contract_path="operations/two-of-three",
    fee_ceiling_sat=20_000,
    deadline_ms=NOW_MS + 24 * HOUR_MS,
    unique=bytes(range(16)),
)
COMMAND = CommandIntent(
    site="site-a",
    node="a-01",
    action=SetSetpoint("site", Stop()),
    precondition=(Condition("site", "power_w", Comparison.AT_LEAST, 1.5),),
    lifetime_ms=60_000,
    deadline_ms=NOW_MS + 24 * HOUR_MS,
    unique=bytes(range(16)),
)
POLICY = PolicyIntent(
    "signer/treasury", (("daily_sat", "100", "200"),), NOW_MS + HOUR_MS, bytes(16)
)
GRANT = UserGrantIntent(
    "bob", GrantChange.GRANT, "treasurer", "wallet:cold", NOW_MS + HOUR_MS, bytes(16)
)
CONTRACT = ContractIntent(
    "hosting-7", "hosting", "settle", (("price", "0.05 USD/kWh"),), NOW_MS + HOUR_MS, bytes(16)
)
EVERY_KIND: tuple[AnyIntent, ...] = (PAYMENT, COMMAND, POLICY, GRANT, CONTRACT)


def case_of(
    intent: AnyIntent = PAYMENT,
    *,
    people: tuple[str, ...] = ("alice", "bob", "carol"),
    quorum: int = 2,
    initiator: str = "dave",
    request: str = "request-1",
) -> Case:
    """A request that expires in an hour."""
    return Case(request, encode(intent), initiator, Policy.of(people, quorum), NOW_MS + HOUR_MS)


@dataclass(frozen=True, slots=True)
class Ed25519Approver:
    """A person with a key in a file."""

    person: str
    secret: Ed25519PrivateKey

    @property
    def public_key(self) -> bytes:
        """Raw."""
        return self.secret.public_key().public_bytes_raw()

    @property
    def key(self) -> ApproverKey:
        """As it is registered."""
        return ApproverKey(self.person, KeyKind.ED25519, self.public_key)

    def sign(self, case: Case, decision: Decision = Decision.APPROVE) -> SignedDecision:
        """His answer."""
        key_id = self.key.key_id
        return SignedDecision(key_id, decision, self.secret.sign(case.statement(key_id, decision)))


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What a browser and an authenticator put into an assertion."""

    origin: str = PARTY.origins[0]
    rp_id: str = PARTY.id
    type: str = "webauthn.get"
    flags: int = 0x05
    counter: int = 1
    extra: tuple[tuple[str, Any], ...] = (("crossOrigin", False),)
    challenge: bytes | None = None


@dataclass(frozen=True, slots=True)
class PasskeyApprover:
    """A person with an authenticator: P-256, or Ed25519 when `eddsa`."""

    person: str
    secret: EllipticCurvePrivateKey | Ed25519PrivateKey

    @property
    def public_key(self) -> bytes:
        """COSE_Key."""
        if isinstance(self.secret, Ed25519PrivateKey):
            raw = self.secret.public_key().public_bytes_raw()
            return cbor.encode({1: 1, 3: -8, -1: 6, -2: raw})
        point = self.secret.public_key().public_numbers()
        x, y = point.x.to_bytes(32, "big"), point.y.to_bytes(32, "big")
        return cbor.encode({1: 2, 3: -7, -1: 1, -2: x, -3: y})

    @property
    def key(self) -> ApproverKey:
        """As it is registered."""
        return ApproverKey(self.person, KeyKind.PASSKEY, self.public_key)

    def sign(
        self, case: Case, decision: Decision = Decision.APPROVE, ceremony: Ceremony | None = None
    ) -> SignedDecision:
        """His answer."""
        key_id = key_id_of(KeyKind.PASSKEY, self.public_key)
        challenge = case.challenge(key_id, decision)
        made = self.answer(ceremony or Ceremony(), challenge)
        return SignedDecision(key_id, decision, encode_assertion(made))

    def answer(self, ceremony: Ceremony, challenge: bytes) -> PasskeyAssertion:
        """An assertion over a challenge."""
        offered = ceremony.challenge if ceremony.challenge is not None else challenge
        client = {
            "type": ceremony.type,
            "challenge": base64.urlsafe_b64encode(offered).decode().rstrip("="),
            "origin": ceremony.origin,
            **dict(ceremony.extra),
        }
        client_data = json.dumps(client).encode()
        data = hashlib.sha256(ceremony.rp_id.encode()).digest()
        data += bytes([ceremony.flags]) + ceremony.counter.to_bytes(4, "big")
        signed = data + hashlib.sha256(client_data).digest()
        if isinstance(self.secret, Ed25519PrivateKey):
            return PasskeyAssertion(data, client_data, self.secret.sign(signed))
        return PasskeyAssertion(data, client_data, self.secret.sign(signed, ECDSA(SHA256())))


@cache
def with_file(person: str, number: int = 0) -> Ed25519Approver:
    """A person's key in a file; the same every time."""
    seed = hashlib.sha256(f"{person} {number}".encode()).digest()
    return Ed25519Approver(person, Ed25519PrivateKey.from_private_bytes(seed))


@cache
def with_passkey(person: str, number: int = 0, *, eddsa: bool = False) -> PasskeyApprover:
    """A person's authenticator; the same every time."""
    seed = hashlib.sha256(f"passkey {person} {number}".encode()).digest()
    if eddsa:
        return PasskeyApprover(person, Ed25519PrivateKey.from_private_bytes(seed))
    return PasskeyApprover(person, derive_private_key(int.from_bytes(seed) >> 1, SECP256R1()))


def trust_of(*approvers: Ed25519Approver | PasskeyApprover, revoked: tuple[str, ...] = ()) -> Trust:
    """Keys of approvers; those of `revoked` people are revoked since ever."""
    keys = [approver.key for approver in approvers]
    keys = [replace(key, revoked_ms=0) if key.person in revoked else key for key in keys]
    return Trust({key.key_id: key for key in keys}, PARTY)
