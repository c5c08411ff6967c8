"""The controller's configuration: one TOML file, any key overridden by BES__SECTION__KEY."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from controller.access.approvals.config import ApprovalsConfig
from controller.access.permissions import Role
from controller.audit.config import AuditConfig
from controller.detection.config import SecurityConfig, WebhookConfig
from controller.enrolment.config import EnrolmentConfig
from controller.storage.url import checked_url
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

_DAY_MS = 86_400_000

Port = Annotated[int, Field(ge=0, le=65_535)]
Days = Annotated[float, Field(gt=0, le=36_500)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseConfig(_Section):
    """Where everything is kept, as SQLAlchemy's URL (`controller.storage.url`).

    A PostgreSQL server on another host has to prove itself: `sslmode=verify-full`, and TLS 1.3.
    """

    url: str

    @field_validator("url")
    @classmethod
    def _proven_when_remote(cls, url: str) -> str:
        return checked_url(url)


class BrokerConfig(_Section):
    """The MQTT broker and this controller's identity towards it.

    `client_id` is a prefix: every process adds a suffix of its own.
    """

    host: str
    port: Port = 8883
    ca_file: Path
    certificate_file: Path
    key_file: Path
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,40}$")] = "controller"
    keepalive_s: Annotated[int, Field(ge=5, le=3_600)] = 30
    receive_maximum: Annotated[int, Field(ge=1, le=10_000)] = 200


class HttpConfig(_Section):
    """The API's and the page's listener, and its limits.

    `token_file` holds the API token of the account `service`, for programs on this host: it is
    entered at the start with `token_roles` on the company, and ends when the file changes. With
    `certificate_file` and `key_file` the listener speaks TLS 1.3. `trusted_proxies` are the
    addresses whose X-Forwarded-For is believed; by default nobody's is.
    """

    host: str = "127.0.0.1"
    port: Port = 8080
    token_file: Path | None = None
    token_roles: tuple[Role, ...] = (Role.OPERATOR,)
    certificate_file: ConfigPath | None = None
    key_file: ConfigPath | None = None
    trusted_proxies: tuple[str, ...] = ()
    max_body_bytes: Annotated[int, Field(ge=1_024, le=64_000_000)] = 1_000_000
    body_s: Annotated[float, Field(gt=0, le=600)] = 20.0
    header_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    unread_s: Annotated[float, Field(gt=0, le=600)] = 60.0
    max_header_bytes: Annotated[int, Field(ge=1_024, le=1_000_000)] = 16_384
    max_connections: Annotated[int, Field(ge=4, le=100_000)] = 512

    @model_validator(mode="after")
    def _tls_beyond_loopback(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file go together (allowed: both or neither)")
        if self.certificate_file is None and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host} without TLS "
                "(allowed: a loopback address, or certificate_file and key_file)"
            )
        return self


class AccessConfig(_Section):
    """Accounts, sessions and second factors.

    `origin` is the address under which browsers reach the page, such as https://bes.example; by
    default the one that a request names. Passkeys need it, and work for its host name only.
    `factor_key_file` holds 32 random bytes or more, from which the key is made that TOTP secrets
    are sealed with in the database; without it they can be read by whoever reads the database.
    """

    second_factor: Literal["required", "when_enrolled"] = "required"
    session_idle_minutes: Annotated[float, Field(gt=0, le=1_440)] = 30
    session_hours: Annotated[float, Field(gt=0, le=168)] = 12
    session_rotate_minutes: Annotated[float, Field(gt=0, le=1_440)] = 15
    origin: Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+$")] | None = None
    factor_key_file: ConfigPath | None = None


class CommandsConfig(_Section):
    """The Ed25519 key (PEM) that signs commands, and how long until one is sent again."""

    signing_key_file: Path
    resend_after_s: Annotated[float, Field(gt=0, le=3_600)] = 15.0


class ClockConfig(_Section):
    """Business time; other than the defaults in a demonstration only."""

    real_origin_ms: int = 0
    shown_origin_ms: int = 0
    rate: Annotated[float, Field(gt=0, le=100_000)] = 1.0

    def scale(self) -> TimeScale:
        """As the scale that a clock takes."""
        return TimeScale(self.real_origin_ms, self.shown_origin_ms, self.rate)


class RetentionConfig(_Section):
    """How many days each class is kept at first; afterwards the database's settings hold."""

    telemetry_days: Days = 90
    minute_rollups_days: Days = 400
    quarter_hour_rollups_days: Days = 1_200
    hour_rollups_days: Days = 3_650
    events_days: Days = 1_200
    commands_days: Days = 3_650
    every_s: Annotated[float, Field(gt=0, le=86_400)] = 600.0


class IngestConfig(_Section):
    """How telemetry is grouped into transactions."""

    group_messages: Annotated[int, Field(ge=1, le=1_000)] = 64
    group_bytes: Annotated[int, Field(ge=1, le=64_000_000)] = 2_000_000
    roll_every_s: Annotated[float, Field(gt=0, le=3_600)] = 1.0


class WebConfig(_Section):
    """`vendor_dir` holds uPlot's installed `dist` files; by default where npm puts them in the
    checkout that this package runs from. In a file, it is relative to that file's folder."""

    vendor_dir: ConfigPath = Path(__file__).resolve().parents[1] / "node_modules" / "uplot" / "dist"


class SiteConfig(_Section):
    """One site and its nodes, listed here until nodes can be provisioned."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    nodes: tuple[str, ...]

    @field_validator("nodes")
    @classmethod
    def _node_names(cls, nodes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(check_node_name(node) for node in nodes)


class ControllerConfig(_Section):
    """The whole file."""

    database: DatabaseConfig
    broker: BrokerConfig | None = None
    http: HttpConfig = HttpConfig()
    access: AccessConfig = AccessConfig()
    approvals: ApprovalsConfig = ApprovalsConfig()
    commands: CommandsConfig | None = None
    enrolment: EnrolmentConfig | None = None
    audit: AuditConfig = AuditConfig()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    tracing: TracingConfig | None = None
    security: SecurityConfig = SecurityConfig()
    webhook: WebhookConfig | None = None
    clock: ClockConfig = ClockConfig()
    retention: RetentionConfig = RetentionConfig()
    ingest: IngestConfig = IngestConfig()
    web: WebConfig = WebConfig()
    site: tuple[SiteConfig, ...] = ()

    @field_validator("site")
    @classmethod
    def _each_once(cls, sites: tuple[SiteConfig, ...]) -> tuple[SiteConfig, ...]:
        names = [node for site in sites for node in site.nodes]
        ids = [site.id for site in sites]
        repeated = {n for n in names if names.count(n) > 1} | {i for i in ids if ids.count(i) > 1}
        if repeated:
            raise ValueError(f"given twice: {', '.join(sorted(repeated))}")
        return sites


def load_config(path: Path, environment: Mapping[str, str] | None = None) -> ControllerConfig:
    """Reads the file and the overrides (`shared.configuration`), by default the process's own;
    `ConfigError` names every problem with its key."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            path, (ConfigProblem("", f"cannot be read: {error.strerror}"),)
        ) from error
    overrides = os.environ if environment is None else environment
    return configuration(content, overrides, ControllerConfig, path, path.resolve().parent)
