"""What clients send about enrolments."""

from typing import Annotated, Literal

from pydantic import Field

from controller.api.text import Flag, StrictRequest
from shared.enrolment import MAX_PEM_CHARACTERS, MAX_TOKEN_TEXT

_NAME = r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"
_OFFERED = r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.[a-z2-7]{25}[aeimquy4]$"
_SERIAL = r"^(?:[1-9a-f][0-9a-f]{0,38}|[1-7][0-9a-f]{39})$"
"""Of a certificate: above 0 and below 2**159, so that DER has it in 20 octets (RFC 5280)."""
_NO_NUL = r"^[^\x00]*$"
"""PostgreSQL's texts have none."""


Network = Annotated[str, Field(min_length=1, max_length=43, pattern=_NO_NUL)]
NodeName = Annotated[str, Field(pattern=_NAME, max_length=63)]
Pem = Annotated[str, Field(min_length=1, max_length=MAX_PEM_CHARACTERS)]
Base64 = Annotated[
    str,
    Field(
        pattern=r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
        max_length=400,
    ),
]


class NewEnrolment(StrictRequest):
    """Whom a token is to be for."""

    node: NodeName
    site: NodeName
    site_name: Annotated[
        str,
        Field(max_length=200, pattern=_NO_NUL, description="Of a new site; by default its id"),
    ] = ""
    role: Literal["site", "signer"]
    network: Annotated[
        Network | None, Field(description="Address or CIDR that the host must come from")
    ] = None
    confirm_key: Annotated[
        Flag, Field(description="Whether somebody is to confirm the host's key fingerprint")
    ] = False


class Confirmation(StrictRequest):
    """The fingerprint as it was compared with what the host shows."""

    key_fingerprint: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class NewRevocation(StrictRequest):
    """What no longer counts: a node's certificates, or one of them."""

    node: NodeName
    serial: Annotated[str | None, Field(pattern=_SERIAL)] = None
    unknown: Annotated[
        Flag,
        Field(
            description="That `serial` is of a certificate which stands in no table, since a "
            "restored database lost it: it is listed as it is given"
        ),
    ] = False
    reason: Annotated[str, Field(min_length=1, max_length=200, pattern=_NO_NUL)]


class Join(StrictRequest):
    """A host with its token."""

    token: Annotated[str, Field(pattern=_OFFERED, max_length=MAX_TOKEN_TEXT)]
    request: Annotated[Pem, Field(description="PKCS #10, PEM; its only name is the node's")]


class Renew(StrictRequest):
    """A node that proves the key of its certificate and asks for one for a new key."""

    certificate: Annotated[Pem, Field(description="The node's certificate, PEM")]
    request: Annotated[Pem, Field(description="PKCS #10, PEM, by the new key")]
    nonce: Annotated[Base64, Field(description="Of the challenge, as it was given")]
    issued_ms: Annotated[int, Field(ge=0, lt=2**52, description="Of the challenge")]
    proof: Annotated[Base64, Field(description="The current key's signature, DER in base64")]
