"""The sections [security] and [webhook] of the controller's configuration."""

from ipaddress import ip_address
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.configuration import ConfigPath

_Name = Annotated[str, Field(min_length=1, max_length=200)]


class SecurityConfig(BaseModel):
    """What is watched.

    `broker_log_file` is mosquitto's log on this host (`bes provision broker` writes its settings);
    `trusted_clients` are its clients that may read every node's topics. `allowed_software` lists
    what nodes may run, each entry a name and version as births say it, or a SHA-256; empty: any.
    Events are kept `keep_days`.
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
        parts = urlsplit(self.url)
        allowed = "https://HOST/..., or http://127.0.0.1 and ::1"
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise ValueError(f"url with a name, password or fragment (allowed: {allowed})")
        local = _is_loopback(parts.hostname or "")
        if not parts.hostname or (
            parts.scheme != "https" and not (parts.scheme == "http" and local)
        ):
            raise ValueError(f"url {self.url[:100]!r} (allowed: {allowed})")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
