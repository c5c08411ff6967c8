"""The controller's configuration: one TOML file, any key overridden by BES__SECTION__KEY."""

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from shared.errors import BadInputError
from shared.messages.topics import check_node_name
from shared.time import TimeScale

ENV_PREFIX = "BES__"
_DAY_MS = 86_400_000

Port = Annotated[int, Field(ge=0, le=65_535)]
Days = Annotated[float, Field(gt=0, le=36_500)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseConfig(_Section):
    """Where everything is kept."""

    url: str


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
    """The API's and the page's listener; `token_file` holds the bearer token."""

    host: str = "127.0.0.1"
    port: Port = 8080
    token_file: Path | None = None


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

    vendor_dir: Path = Path(__file__).resolve().parents[1] / "node_modules" / "uplot" / "dist"


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
    commands: CommandsConfig | None = None
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
    """Reads the file and the overrides; `BadInputError` names the file and the key."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(str(path), error.strerror or "cannot be read", "a file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(str(path), str(error), "TOML") from error
    merged = _overridden(data, os.environ if environment is None else environment)
    try:
        config = ControllerConfig.model_validate(merged)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadInputError(
            f"{path}: {key}", f"{first.get('input')!r:.80}", first["msg"]
        ) from error
    web = WebConfig(vendor_dir=path.resolve().parent / config.web.vendor_dir)
    return config.model_copy(update={"web": web})


def _overridden(data: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """BES__HTTP__PORT=8081 sets [http] port; a value that is JSON is taken as such, else as text.

    Other processes of the suite share the environment: sections that are not this file's are
    passed over.
    """
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in data.items()}
    for name, value in sorted(environment.items()):
        if not name.startswith(ENV_PREFIX):
            continue
        section, _, key = name[len(ENV_PREFIX) :].lower().partition("__")
        if section not in ControllerConfig.model_fields or section == "site" or not key:
            continue
        merged.setdefault(section, {})[key] = _scalar(value)
    return merged


def _scalar(value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value
