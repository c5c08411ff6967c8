"""`bes agent check`: whether an agent could run with a configuration, tried without running it."""

import os
import ssl
from pathlib import Path

from agent.commands.keys import load_trusted_keys
from agent.config import AgentConfig
from agent.site.drivers import load_driver
from agent.uplink.link import BrokerAddress, LinkError, tls_context
from shared.configuration import ConfigProblem
from shared.errors import BadInputError
from shared.host.tracing import check_tracing


def check(config: AgentConfig) -> tuple[ConfigProblem, ...]:
    """Everything that would keep the agent from running; no device or broker is contacted."""
    return (
        *_data_folder(config.data_dir),
        *_broker(config),
        *_keys(config),
        *_devices(config),
        *_model(config),
        *_tracing(config),
    )


def _tracing(config: AgentConfig) -> tuple[ConfigProblem, ...]:
    try:
        check_tracing(config.tracing)
    except BadInputError as error:
        return (ConfigProblem(error.field, f"{error.problem} (allowed: {error.allowed})"),)
    return ()


def warnings(config: AgentConfig) -> tuple[ConfigProblem, ...]:
    """What an operator may not have meant."""
    found = []
    if not config.commands.trusted_keys:
        found.append(ConfigProblem("commands.trusted_keys", "none: no command will be taken"))
    if config.role == "site" and not config.devices:
        found.append(ConfigProblem("device", "none: there is nothing to measure"))
    if config.prices is not None and config.model.enabled and config.model.manifest is None:
        from agent.inference.loader import shipped_folder

        refused = _refusal(shipped_folder("price"))
        if refused is not None:
            found.append(ConfigProblem("model", f"the last known price will decide: {refused}"))
    if config.clock.rate != 1.0 or config.clock.shown_origin_ms:
        found.append(ConfigProblem("clock", "business time is not real time (a demonstration?)"))
    return tuple(found)


def _data_folder(folder: Path) -> tuple[ConfigProblem, ...]:
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        return (ConfigProblem("data_dir", f"{place} is no folder (allowed: a writable folder)"),)
    if not os.access(place, os.W_OK | os.X_OK):
        return (ConfigProblem("data_dir", f"{place} is not writable (allowed: a writable one)"),)
    return ()


def _broker(config: AgentConfig) -> tuple[ConfigProblem, ...]:
    broker = config.broker
    missing = tuple(
        ConfigProblem(f"broker.{name}", f"{file} cannot be read (allowed: a PEM file)")
        for name, file in (
            ("ca_file", broker.ca_file),
            ("certificate_file", broker.certificate_file),
            ("key_file", broker.key_file),
        )
        if not (file.is_file() and os.access(file, os.R_OK))
    )
    if missing:
        return missing
    address = BrokerAddress(
        broker.host, broker.port, broker.ca_file, broker.certificate_file, broker.key_file
    )
    try:
        tls_context(address)
    except (LinkError, ssl.SSLError) as error:
        return (ConfigProblem("broker", f"{error} (allowed: a certificate and its key in PEM)"),)
    return ()


def _keys(config: AgentConfig) -> tuple[ConfigProblem, ...]:
    try:
        load_trusted_keys(config.commands.trusted_keys)
    except BadInputError as error:
        return (ConfigProblem(error.field, f"{error.problem} (allowed: {error.allowed})"),)
    return ()


def _devices(config: AgentConfig) -> tuple[ConfigProblem, ...]:
    found = []
    for index, device in enumerate(config.devices):
        try:
            load_driver(device.driver).open(device.driver_settings)
        except (ValueError, OSError) as error:
            found.append(ConfigProblem(f"device.{index}.settings", f"{device.name}: {error}"))
    return tuple(found)


def _model(config: AgentConfig) -> tuple[ConfigProblem, ...]:
    """A model that the configuration names must load; the installed one may be missing."""
    if config.model.manifest is None or not config.model.enabled:
        return ()
    refused = _refusal(config.model.manifest.parent)
    return () if refused is None else (ConfigProblem("model.manifest", refused),)


def _refusal(folder: Path) -> str | None:
    from agent.inference.errors import ModelRefusedError
    from agent.inference.price import load_price_forecaster

    try:
        load_price_forecaster(folder)
    except ModelRefusedError as error:
        return f"{error} (allowed: a model that is in its manifest)"
    return None
