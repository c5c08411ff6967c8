"""The section [identity] of the agent's configuration."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.configuration import ConfigPath


class IdentityConfig(BaseModel):
    """Where the certificate is renewed, and the folder that `bes agent join` made for it.

    Without this section the files of [broker] are used as they are and somebody else renews them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    url: Annotated[str, Field(pattern=r"^https://[^/?#@\s]{1,255}$")]
    folder: ConfigPath
