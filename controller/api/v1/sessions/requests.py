"""What is sent to sign in."""

from typing import Annotated, Any

from pydantic import Field

from controller.api.text import StrictRequest

_Encoded = Annotated[str, Field(max_length=20_000)]


class SignIn(StrictRequest):
    """The first step."""

    name: Annotated[str, Field(max_length=64)]
    password: Annotated[str, Field(max_length=512)]


class Code(StrictRequest):
    """A code of the authenticator app, or a recovery code."""

    code: Annotated[str, Field(min_length=6, max_length=40)]


class PasskeyResponse(StrictRequest):
    """`AuthenticatorResponse`, its buffers in base64url (WebAuthn level 3 section 5.1)."""

    client_data_json: Annotated[_Encoded, Field(alias="clientDataJSON")]
    attestation_object: Annotated[_Encoded | None, Field(alias="attestationObject")] = None
    authenticator_data: Annotated[_Encoded | None, Field(alias="authenticatorData")] = None
    signature: _Encoded | None = None
    user_handle: Annotated[_Encoded | None, Field(alias="userHandle")] = None


class PasskeyAnswer(StrictRequest):
    """`PublicKeyCredential` as a browser's `toJSON` gives it."""

    id: Annotated[str, Field(max_length=2_000)]
    raw_id: Annotated[str, Field(alias="rawId", max_length=2_000)]
    type: Annotated[str, Field(max_length=20)]
    response: PasskeyResponse

    def credential(self) -> dict[str, Any]:
        """As the library takes it."""
        return self.model_dump(by_alias=True, exclude_none=True)
