"""The entry point `embedded`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pydantic import BaseModel, ConfigDict

from controller.chain.backend import ChainBackend
from controller.chain.embedded.chain import EmbeddedChain
from controller.chain.plugins import BackendPlugin
from shared.configuration import ConfigPath


class EmbeddedConfig(BaseModel):
    """The section of the embedded chain: its folder; without one it lives in memory only."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    folder: ConfigPath | None = None


@contextmanager
def _open(settings: BaseModel, wake: Callable[[], None]) -> Iterator[ChainBackend]:
    config = EmbeddedConfig.model_validate(settings)
    chain = EmbeddedChain(config.folder, on_block=wake)
    try:
        yield chain
    finally:
        chain.close()


PLUGIN = BackendPlugin(EmbeddedConfig, _open)
