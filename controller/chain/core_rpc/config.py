"""The section [bitcoin_core] of the controller's configuration."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.addresses import private_url
from shared.bitcoin.networks import Network
from shared.configuration import ConfigPath


class CoreRpcConfig(BaseModel):
    """Where Bitcoin Core answers.

    `cookie_file` is the node's own (`.cookie` in its data directory), read anew when the node
    refuses what it held. `zmq_url` is what the node's `-zmqpubhashblock` and `-zmqpubhashtx` say,
    as `tcp://host:port`; without it the controller polls. Plain http goes to loopback only.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    network: Network
    url: Annotated[str, Field(max_length=500)]
    cookie_file: ConfigPath
    zmq_url: Annotated[str, Field(max_length=200, pattern=r"^tcp://[^/:]+:[0-9]{1,5}$")] | None = (
        None
    )
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    breaker_failures: Annotated[int, Field(ge=1, le=1_000)] = 5
    breaker_reset_s: Annotated[float, Field(gt=0, le=3_600)] = 10.0

    @model_validator(mode="after")
    def _safe_url(self) -> Self:
        private_url(self.url)
        return self
