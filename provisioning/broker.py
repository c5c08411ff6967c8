"""The broker's configuration, as text (mosquitto.conf(5), mosquitto 2.0)."""

import json
from dataclasses import dataclass
from pathlib import Path

from provisioning.authority import Credentials
from shared.messages import cbor
from shared.messages.topics import DOWN, PREFIX, UP

_FRAME_OVERHEAD = 1_024
_CONTROL = "$CONTROL/dynamic-security/v1"
LOG_TIMESTAMP = "%Y-%m-%dT%H:%M:%S"
NO_ACCESS = {
    "defaultACLAccess": {
        "publishClientSend": False,
        "publishClientReceive": False,
        "subscribe": False,
        "unsubscribe": True,
    }
}
"""The plug-in's first state. It decides on no topic: mosquitto asks the ACL file first."""


@dataclass(frozen=True, slots=True)
class BrokerLimits:
    """What one client, and all of them together, may cost.

    mosquitto 2.0 (2.0.11 to 2.0.21) knows no limit on messages a second or on subscriptions a
    client, and its access file refuses no subscription, only deliveries (mosquitto.conf(5)).
    """

    connections: int = 2_000
    inflight: int = 100
    queued_messages: int = 10_000
    queued_bytes: int = 64 << 20
    memory_bytes: int = 1 << 30
    keepalive_s: int = 120


@dataclass(frozen=True, slots=True)
class BrokerPlan:
    """Where a broker listens, who it is, where it keeps its files.

    `observers` may read every node's topics and write none. `crl_file` holds the lists of revoked
    certificates. With `dynamic_security`, the plug-in's file, a controller can end a node's live
    connection. `watched`: the log tells of every refusal, for the controller to read;
    `log_file` instead of standard error.
    """

    folder: Path
    port: int
    ca_file: Path
    credentials: Credentials
    controllers: tuple[str, ...] = ("controller",)
    host: str = "127.0.0.1"
    user: str = "mosquitto"
    observers: tuple[str, ...] = ()
    crl_file: Path | None = None
    dynamic_security: Path | None = None
    watched: bool = False
    log_file: Path | None = None
    limits: BrokerLimits = BrokerLimits()


def mosquitto_conf(plan: BrokerPlan) -> str:
    """TLS 1.3, client certificates as identity, client id equal to the CN, bounded messages."""
    return "\n".join((*_listener(plan), *_store(plan), *_limits(plan), *_log(plan), ""))


def _listener(plan: BrokerPlan) -> tuple[str, ...]:
    crl = () if plan.crl_file is None else (f"crlfile {plan.crl_file}",)
    domain = ("socket_domain ipv4",) if ":" not in plan.host else ()
    return (
        f"listener {plan.port} {plan.host}",
        *domain,
        "protocol mqtt",
        f"max_connections {plan.limits.connections}",
        f"cafile {plan.ca_file}",
        f"certfile {plan.credentials.certificate_file}",
        f"keyfile {plan.credentials.key_file}",
        *crl,
        "tls_version tlsv1.3",
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
        "allow_anonymous false",
        f"acl_file {plan.folder / 'acl'}",
    )


def _store(plan: BrokerPlan) -> tuple[str, ...]:
    plugin = (
        ()
        if plan.dynamic_security is None
        else (f"plugin {plan.dynamic_security}", f"plugin_opt_config_file {_state_file(plan)}")
    )
    return (
        f"user {plan.user}",
        "persistence true",
        f"persistence_location {plan.folder}/",
        "autosave_interval 60",
        "persistent_client_expiration 14d",
        *plugin,
    )


def _limits(plan: BrokerPlan) -> tuple[str, ...]:
    limits = plan.limits
    return (
        f"max_packet_size {cbor.MAX_PAYLOAD + _FRAME_OVERHEAD}",
        f"message_size_limit {cbor.MAX_PAYLOAD}",
        f"max_inflight_messages {limits.inflight}",
        f"max_queued_messages {limits.queued_messages}",
        f"max_queued_bytes {limits.queued_bytes}",
        f"memory_limit {limits.memory_bytes}",
        f"max_keepalive {limits.keepalive_s}",
        "set_tcp_nodelay true",
    )


def _log(plan: BrokerPlan) -> tuple[str, ...]:
    """mosquitto tells of a refused publish at debug level, of subscriptions at one of their own."""
    levels = ["error", "warning", "notice"]
    if plan.watched:
        levels += ["information", "subscribe", "debug"]
    destination = "stderr" if plan.log_file is None else f"file {plan.log_file}"
    return (
        f"log_dest {destination}",
        *(f"log_type {level}" for level in levels),
        "connection_messages true",
        "log_timestamp true",
        f"log_timestamp_format {LOG_TIMESTAMP}",
    )


def mosquitto_acl(plan: BrokerPlan) -> str:
    """Each node to exactly its own topics; the controllers to the other ends of all of them."""
    lines = [f"pattern write {PREFIX}/%u/{channel}" for channel in UP]
    lines += [f"pattern read {PREFIX}/%u/{channel}" for channel in DOWN]
    for controller in plan.controllers:
        lines.append(f"user {controller}")
        lines += [f"topic read {PREFIX}/+/{channel}" for channel in UP]
        lines += [f"topic write {PREFIX}/+/{channel}" for channel in DOWN]
        if plan.dynamic_security is not None:
            lines += [f"topic write {_CONTROL}", f"topic read {_CONTROL}/response"]
    for observer in plan.observers:
        lines.append(f"user {observer}")
        lines += [f"topic read {PREFIX}/+/{channel}" for channel in (*UP, *DOWN)]
    return "\n".join((*lines, ""))


def write_broker_files(plan: BrokerPlan) -> Path:
    """Writes the files into the plan's folder and returns the configuration's path.

    The plug-in's file is its own to change and is only made where there is none.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    acl = plan.folder / "acl"
    acl.write_text(mosquitto_acl(plan))
    acl.chmod(0o600)
    state = _state_file(plan)
    if plan.dynamic_security is not None and not state.exists():
        state.touch(mode=0o600)
        state.write_text(json.dumps(NO_ACCESS))
    path = plan.folder / "mosquitto.conf"
    path.write_text(mosquitto_conf(plan))
    return path


def _state_file(plan: BrokerPlan) -> Path:
    return plan.folder / "dynamic-security.json"
