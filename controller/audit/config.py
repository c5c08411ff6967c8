"""The controller's `[audit]` section."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from controller.audit.notes import ORIGIN
from shared.configuration import ConfigPath


class AuditConfig(BaseModel):
    """The audit log: its name, the Ed25519 key (PEM) that signs its heads, who timestamps them.

    Without a key the heads are unsigned, and say so. `timestamp_url` is an RFC 3161 authority over
    HTTP; its answers must lead to a certificate in `timestamp_roots_file` (PEM). `origin` should be
    unique in the world, like a host's name and a path; it stays as long as the log.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    origin: Annotated[str, Field(pattern=ORIGIN)] = "bes/audit"
    signing_key_file: ConfigPath | None = None
    every_s: Annotated[float, Field(gt=0, le=3_600)] = 0.5
    timestamp_url: Annotated[str, Field(pattern=r"^https?://[^\s#@]{1,280}$")] | None = None
    timestamp_roots_file: ConfigPath | None = None
    timestamp_every_s: Annotated[float, Field(ge=1, le=604_800)] = 3_600.0

    @model_validator(mode="after")
    def _checked_timestamps(self) -> Self:
        if (self.timestamp_url is None) != (self.timestamp_roots_file is None):
            raise ValueError(
                "timestamp_url and timestamp_roots_file go together (allowed: both or neither)"
            )
        return self
