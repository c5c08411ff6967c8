"""The sections [security] and [webhook] of the controller's configuration."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.addresses import private_url
from shared.configuration import ConfigPath

_Name = Annotated[str, Field(min_length=1, max_length=200)]


class SecurityConfig(BaseModel):
    """What is watched.

    `broker_log_file` is mosquitto's log on this host (`bes provision broker` writes its settings);
    `trusted_clients` are its clients that may read every node's topics. `allowed_software` lists
    what nodes may run, each entry a name and version as births say it, or a SHA-256; empty: any.
    Events are kept `keep_days`, and longer where a legal hold on events reaches them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    broker_log_file: ConfigPath | None = None
    trusted_clients: tuple[_Name, ...] = ("controller",)
    allowed_software: Annotated[tuple[_Name, ...], Field(max_length=1_000)] = ()
    keep_days: Annotated[float, Field(gt=0, le=36_500)] = 1_200


class WebhookConfig(BaseModel):
    """Where security events are sent: signed as Standard Webhooks says (standardwebhooks.com).

    `secret_file` holds `whsec_` and base64 of 24 to 64 bytes. Plain http goes to loopback only.
    `ca_file` (PEM) replaces the system's authorities.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    url: Annotated[str, Field(max_length=500)]
    secret_file: ConfigPath
    ca_file: ConfigPath | None = None
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    first_pause_s: Annotated[float, Field(gt=0, le=3_600)] = 5.0
    longest_pause_s: Annotated[float, Field(gt=0, le=86_400)] = 3_600.0
    dead_after_days: Annotated[float, Field(gt=0, le=365)] = 7.0
    breaker_failures: Annotated[int, Field(ge=1, le=1_000)] = 5
    breaker_reset_s: Annotated[float, Field(gt=0, le=3_600)] = 60.0

    @model_validator(mode="after")
    def _safe_url(self) -> Self:
        private_url(self.url)
        return self
