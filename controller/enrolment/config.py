"""The section [enrolment] of the controller's configuration."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.configuration import ConfigPath
from shared.identity.profiles import LEAF_LIFETIME


class IssuerConfig(BaseModel):
    """An intermediate in PEM: its certificate, with cross certificates behind it, and its key."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    certificate_file: ConfigPath
    key_file: ConfigPath


class EnrolmentConfig(BaseModel):
    """The intermediate that signs nodes' certificates, and what hosts are told.

    `url` and `broker_host`:`broker_port` are where hosts reach this interface and the broker.
    `root_files` hold the roots that hosts may pin, oldest first, and cross certificates. The list
    of revoked certificates is written to `crl_file` for the broker; `previous` are intermediates
    that signed certificates which may still be in use: their lists are kept up until their end,
    nothing else is signed. `leaf_days` is bounded by what the overlap of two roots is reckoned with
    (`shared.identity.rotation`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    issuer_certificate_file: ConfigPath
    issuer_key_file: ConfigPath
    previous: Annotated[tuple[IssuerConfig, ...], Field(max_length=8)] = ()
    root_files: Annotated[tuple[ConfigPath, ...], Field(min_length=1, max_length=8)]
    crl_file: ConfigPath | None = None
    crl_hours: Annotated[float, Field(ge=1, le=720)] = 168.0
    leaf_days: Annotated[float, Field(gt=0, le=LEAF_LIFETIME.days)] = LEAF_LIFETIME.days
    url: Annotated[str, Field(pattern=r"^https://[^/?#@\s]{1,255}$")]
    broker_host: Annotated[str, Field(min_length=1, max_length=253)]
    broker_port: Annotated[int, Field(ge=1, le=65_535)] = 8883
