"""What clients send about approvals."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from controller.access.permissions import Grant, Role, parse_scope
from controller.api.text import StrictRequest
from shared.approvals.exchange import decision_from_document
from shared.approvals.judgement import SignedDecision
from shared.approvals.statement import Decision

KeyIdHex = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="The key's fingerprint")]
Base64 = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/_-]+={0,2}$", max_length=8_192)]
KeyName = Annotated[str, Field(min_length=1, max_length=100)]


class Ed25519Signature(StrictRequest):
    """The signature over the statement of the decision."""

    kind: Literal["ed25519"]
    value: Base64


class PasskeySignature(StrictRequest):
    """A WebAuthn assertion whose challenge is the digest of the same statement."""

    kind: Literal["passkey"]
    authenticator_data: Base64
    client_data: Base64
    signature: Base64


class NewDecision(StrictRequest):
    """An approver's signed answer, as `bes approve` or the page writes it."""

    decision: Decision
    key_id: KeyIdHex
    signature: Annotated[Ed25519Signature | PasskeySignature, Field(discriminator="kind")]

    def signed(self) -> SignedDecision:
        """As the judge takes it."""
        return decision_from_document(self.model_dump(mode="json"))


class GrantAsked(StrictRequest):
    """A role that one administrator cannot give alone."""

    user_id: int = Field(ge=1, lt=2**53)
    role: Role
    scope: str = Field(
        pattern=r"^(company|(site|wallet):[a-z0-9_.-]{1,63})$", description="e.g. `site:site-a`"
    )

    def grant(self) -> Grant:
        """As it is given."""
        return Grant(self.role, parse_scope(self.scope))


class PasskeyQuestion(StrictRequest):
    """What is to be said with which passkey of one's own."""

    decision: Decision
    key_id: KeyIdHex


class NewKey(StrictRequest):
    """An Ed25519 key with its proof, as `bes approve keygen` writes it."""

    name: KeyName
    public_key: Base64
    proof: Base64


class _PasskeyResponse(StrictRequest):
    model_config = ConfigDict(extra="ignore")

    clientDataJSON: Base64  # noqa: N815 - WebAuthn's own name
    attestationObject: Base64  # noqa: N815 - WebAuthn's own name


class PasskeyCredential(StrictRequest):
    """What `navigator.credentials.create` gave, with its pieces in base64url."""

    model_config = ConfigDict(extra="ignore")

    id: Base64
    rawId: Base64  # noqa: N815 - WebAuthn's own name
    type: Literal["public-key"]
    response: _PasskeyResponse


class NewPasskey(StrictRequest):
    """A passkey that answered the challenge of `passkey-options`."""

    name: KeyName
    credential: PasskeyCredential

    def answer(self) -> dict[str, Any]:
        """As the library takes it."""
        return self.credential.model_dump(mode="json")


class Confirmation(StrictRequest):
    """The fingerprint that the key's owner read out, from his own machine."""

    key_id: KeyIdHex
