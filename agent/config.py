"""The agent's configuration: one TOML file, checked before anything runs.

Relative paths start at the file's own folder. Sections of a role stand in the role's own module.
Secrets (the broker's key, the trusted keys, device passwords) are named by the path of their file.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from agent.identity.config import IdentityConfig
from agent.site.config import SiteSections
from shared.addresses import is_loopback
from shared.configuration import (
    MAX_FILE_BYTES,
    ConfigError,
    ConfigPath,
    ConfigProblem,
    configuration,
)
from shared.host.tracing import TracingConfig
from shared.messages.topics import check_node_name
from shared.time import TimeScale

__all__ = ["AgentConfig", "ConfigError", "load_config"]

_FROZEN = ConfigDict(frozen=True, extra="forbid")
Port = Annotated[int, Field(ge=1, le=65_535)]


def _loopback(host: str) -> str:
    """The page has no log-in, so nobody else may reach it."""
    if not is_loopback(host):
        raise ValueError("not a loopback address (allowed: 127.0.0.1, ::1, localhost)")
    return host


def _key_id(text: str) -> str:
    try:
        size = len(bytes.fromhex(text))
    except ValueError as error:
        raise ValueError("not hexadecimal (allowed: 1 to 32 bytes in hex)") from error
    if not 1 <= size <= 32:
        raise ValueError(f"{size} bytes (allowed: 1 to 32 bytes in hex)")
    return text.lower()


class BrokerConfig(BaseModel):
    """The MQTT broker: TLS 1.3, and a certificate whose common name is the node's name."""

    model_config = _FROZEN
    host: str = Field(min_length=1, max_length=253)
    port: Port = 8883
    ca_file: ConfigPath
    certificate_file: ConfigPath
    key_file: ConfigPath
    keepalive_s: int = Field(default=20, ge=5, le=120)
    timeout_s: float = Field(default=15.0, gt=0, le=120)


class CommandsConfig(BaseModel):
    """Whose commands are taken and how much is kept of them.

    `trusted_keys` maps key ids (hex) to PEM files of Ed25519 public keys; with none, no command is
    taken. `clock_tolerance_ms` is what the controller's clock may be ahead of this one.
    """

    model_config = _FROZEN
    trusted_keys: dict[Annotated[str, AfterValidator(_key_id)], ConfigPath] = Field(
        default_factory=dict, max_length=16
    )
    clock_tolerance_ms: int = Field(default=5_000, ge=0, le=600_000)
    most_open_per_device: int = Field(default=20, ge=1, le=1_000)
    most_kept: int = Field(default=20_000, ge=100, le=1_000_000)
    keep_days: int = Field(default=30, ge=1, le=3_650)


class BufferConfig(BaseModel):
    """What is kept until it is committed. Real seconds."""

    model_config = _FROZEN
    disk_budget_mib: int = Field(default=1_024, ge=16, le=1_048_576)
    reserve_mib: int = Field(default=8, ge=1, le=1_024)
    batch_rows: int = Field(default=500, ge=1, le=5_000)
    resend_after_s: float = Field(default=15.0, gt=0, le=3_600)
    late_after_s: float = Field(default=30.0, gt=0, le=3_600)
    linger_s: float = Field(default=0.25, ge=0, le=60)
    silent_after_s: float = Field(default=60.0, gt=0, le=3_600)


class ClockConfig(BaseModel):
    """Business time for a demonstration: at `real_origin_ms` it is `shown_origin_ms`, and it runs
    `rate` times as fast. Left out, business time is real time."""

    model_config = _FROZEN
    real_origin_ms: int = Field(default=0, ge=0)
    shown_origin_ms: int = Field(default=0, ge=0)
    rate: float = Field(default=1.0, gt=0, le=100_000)

    @property
    def scale(self) -> TimeScale:
        """The same as a value."""
        return TimeScale(self.real_origin_ms, self.shown_origin_ms, self.rate)


class StatusConfig(BaseModel):
    """The status page and the metrics, on loopback only; port 0 takes a free one, which is then in
    the file `status-address` of the data folder."""

    model_config = _FROZEN
    host: Annotated[str, AfterValidator(_loopback)] = "127.0.0.1"
    port: int = Field(default=9464, ge=0, le=65_535)


class AgentConfig(SiteSections):
    """One agent."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    node: Annotated[str, AfterValidator(check_node_name)]
    role: Literal["site", "signer"] = "site"
    data_dir: ConfigPath
    broker: BrokerConfig
    identity: IdentityConfig | None = None
    commands: CommandsConfig = Field(default_factory=CommandsConfig)
    buffer: BufferConfig = Field(default_factory=BufferConfig)
    clock: ClockConfig = Field(default_factory=ClockConfig)
    status: StatusConfig = Field(default_factory=StatusConfig)
    tracing: TracingConfig | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _sections_of_its_role(self) -> Self:
        if self.role == "signer":
            given = sorted(self.model_fields_set & SiteSections.model_fields.keys())
            if given:
                raise ValueError(f"role signer with {', '.join(given)} (allowed: in role site)")
        return self

    @property
    def database_file(self) -> Path:
        """The buffer."""
        return self.data_dir / "agent.sqlite"

    @property
    def status_address_file(self) -> Path:
        """Where the running agent writes the address of its status page."""
        return self.data_dir / "status-address"


def load_config(file: Path, environment: Mapping[str, str] | None = None) -> AgentConfig:
    """Reads the configuration; raises `ConfigError` with every problem that was found.

    `environment` overrides single keys (`BES__SECTION__KEY`); by default the process's own.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            file, (ConfigProblem("", f"cannot be read: {error.strerror}"),)
        ) from error
    overrides = os.environ if environment is None else environment
    return configuration(content, overrides, AgentConfig, file, file.resolve().parent)
