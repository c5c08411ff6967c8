"""Chain backends by name, found through the entry points `bes.chain_backends`.

The built-in ones (`embedded`, `core`) use the same door; a plug-in is one more package whose entry
point names a `BackendPlugin`.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import entry_points

from pydantic import BaseModel

from controller.chain.backend import ChainBackend
from shared.errors import BadInputError

GROUP = "bes.chain_backends"


@dataclass(frozen=True, slots=True)
class BackendPlugin:
    """How a backend is configured and opened.

    `open` gets the settings checked by `config`, and `wake`, which it may call from any thread
    when something happened on the chain; leaving the context closes the backend.
    """

    config: type[BaseModel]
    open: Callable[[BaseModel, Callable[[], None]], AbstractContextManager[ChainBackend]]


def plugin(name: str) -> BackendPlugin:
    """The plug-in of this name; `BadInputError` names those that are installed."""
    found = {one.name: one for one in entry_points(group=GROUP)}
    if name not in found:
        raise BadInputError("chain.backend", repr(name[:80]), ", ".join(sorted(found)) or "none")
    loaded = found[name].load()
    if not isinstance(loaded, BackendPlugin):
        raise BadInputError("chain.backend", f"{name} is no BackendPlugin", "a BackendPlugin")
    return loaded


def open_backend(
    name: str, settings: Mapping[str, object], wake: Callable[[], None]
) -> AbstractContextManager[ChainBackend]:
    """The backend with these settings; pydantic's `ValidationError` for settings that are bad."""
    chosen = plugin(name)
    return chosen.open(chosen.config.model_validate(settings), wake)
