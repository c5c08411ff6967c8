"""What clients are told about enrolments and certificates."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import Row

from controller.enrolment.life import EnrolmentState
from controller.enrolment.renewal import CertificateState
from shared.time import from_ms


class Enrolment(BaseModel):
    """A token and what became of it."""

    id: int
    node: str
    site: str
    role: str
    network: str | None = Field(description="null: from anywhere")
    confirm_key: bool
    state: EnrolmentState
    actor: str
    issued: datetime
    expires: datetime
    key_fingerprint: str | None = Field(description="Of the key that the host presented")
    presented: datetime | None
    presented_from: str | None
    finished: datetime | None
    certificate: str | None = Field(description="Serial number, hexadecimal")

    @classmethod
    def fields_of(cls, row: Row[Any]) -> dict[str, Any]:
        """The fields from a row of `enrolment_tokens`."""
        return {
            "id": row.id,
            "node": row.node,
            "site": row.site_id,
            "role": row.role,
            "network": row.network,
            "confirm_key": row.confirm_key,
            "state": EnrolmentState(row.state),
            "actor": row.actor,
            "issued": from_ms(row.issued_real_ms),
            "expires": from_ms(row.expires_real_ms),
            "key_fingerprint": fingerprint(row.key_sha256),
            "presented": _time(row.presented_real_ms),
            "presented_from": row.presented_from,
            "finished": _time(row.finished_real_ms),
            "certificate": row.certificate,
        }

    @classmethod
    def of(cls, row: Row[Any]) -> "Enrolment":
        """From a row of `enrolment_tokens`."""
        return cls(**cls.fields_of(row))


class MadeEnrolment(Enrolment):
    """A new token, shown this once, and what the host needs besides."""

    token: str
    url: str
    ca_fingerprint: str


class Certificate(BaseModel):
    """A node's certificate."""

    serial: str
    node: str
    state: CertificateState
    not_before: datetime
    not_after: datetime
    key_fingerprint: str
    successor: str | None = Field(description="The one that it was renewed by")

    @classmethod
    def of(cls, row: Row[Any]) -> "Certificate":
        """From a row of `certificates`."""
        return cls(
            serial=row.serial,
            node=row.node,
            state=CertificateState(row.state),
            not_before=from_ms(row.not_before_real_ms),
            not_after=from_ms(row.not_after_real_ms),
            key_fingerprint=str(fingerprint(row.key_sha256)),
            successor=row.successor,
        )


class Revoked(BaseModel):
    """The serial numbers that no longer count."""

    serials: list[str]


class Trust(BaseModel):
    """The authorities: roots, and cross certificates by which a newer root is accepted."""

    authorities: str = Field(description="PEM")


class BrokerPlace(BaseModel):
    """Where the broker is."""

    host: str
    port: int


class Admitted(BaseModel):
    """A host that is let in: its identity and what its configuration needs."""

    state: Literal["admitted"] = "admitted"
    node: str
    site: str
    role: str
    certificate: str = Field(description="The chain in PEM, the node's own first")
    authorities: str = Field(description="As in Trust")
    broker: BrokerPlace
    command_keys: dict[str, str] = Field(description="Ed25519 public keys in PEM, by id in hex")
    url: str


class Awaiting(BaseModel):
    """A host whose key is yet to be confirmed: it asks again with the same token and key."""

    state: Literal["awaiting confirmation"] = "awaiting confirmation"
    key_fingerprint: str
    until: datetime
    ask_again_after_s: int


class OneChallenge(BaseModel):
    """To be signed with a certificate's key within five minutes."""

    nonce: str = Field(description="Base64")
    issued_ms: int


class Renewed(BaseModel):
    """The next certificate."""

    certificate: str = Field(description="The chain in PEM, the node's own first")
    authorities: str = Field(description="As in Trust")


def fingerprint(sha256: bytes | None) -> str | None:
    """The text form of a key's SHA-256."""
    return None if sha256 is None else f"sha256:{sha256.hex()}"


def _time(time_ms: int | None) -> datetime | None:
    return None if time_ms is None else from_ms(time_ms)
