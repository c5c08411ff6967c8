"""The entry point `core`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pydantic import BaseModel

from controller.chain.backend import ChainBackend
from controller.chain.core_rpc.backend import CoreRpc
from controller.chain.core_rpc.config import CoreRpcConfig
from controller.chain.core_rpc.hints import ChainHints
from controller.chain.plugins import BackendPlugin


@contextmanager
def _open(settings: BaseModel, wake: Callable[[], None]) -> Iterator[ChainBackend]:
    config = CoreRpcConfig.model_validate(settings)
    hints = None if config.zmq_url is None else ChainHints(config.zmq_url, wake)
    with CoreRpc(config) as backend:
        if hints is not None:
            hints.start()
        try:
            yield backend
        finally:
            if hints is not None:
                hints.stop()


PLUGIN = BackendPlugin(CoreRpcConfig, _open)
