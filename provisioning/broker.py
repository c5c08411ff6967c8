"""The broker's configuration, as text (mosquitto.conf(5), mosquitto 2.0)."""

from dataclasses import dataclass
from pathlib import Path

from provisioning.authority import Credentials
from shared.messages import cbor
from shared.messages.topics import DOWN, PREFIX, UP

_FRAME_OVERHEAD = 1_024


@dataclass(frozen=True, slots=True)
class BrokerPlan:
    """Where a broker listens, who it is, where it keeps its files."""

    folder: Path
    port: int
    ca_file: Path
    credentials: Credentials
    controllers: tuple[str, ...] = ("controller",)
    host: str = "127.0.0.1"
    user: str = "mosquitto"


def mosquitto_conf(plan: BrokerPlan) -> str:
    """TLS 1.3, client certificates as identity, client id equal to the CN, bounded messages."""
    return "\n".join(
        (
            f"listener {plan.port} {plan.host}",
            "socket_domain ipv4",
            "protocol mqtt",
            f"cafile {plan.ca_file}",
            f"certfile {plan.credentials.certificate_file}",
            f"keyfile {plan.credentials.key_file}",
            "tls_version tlsv1.3",
            "require_certificate true",
            "use_identity_as_username true",
            "use_username_as_clientid true",
            "allow_anonymous false",
            f"acl_file {plan.folder / 'acl'}",
            f"user {plan.user}",
            "persistence true",
            f"persistence_location {plan.folder}/",
            "autosave_interval 60",
            f"max_packet_size {cbor.MAX_PAYLOAD + _FRAME_OVERHEAD}",
            "max_inflight_messages 100",
            "max_queued_messages 10000",
            "max_keepalive 120",
            "set_tcp_nodelay true",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
            "log_type notice",
            "",
        )
    )


def mosquitto_acl(plan: BrokerPlan) -> str:
    """Each node to exactly its own topics; the controllers to the other ends of all of them."""
    lines = [f"pattern write {PREFIX}/%u/{channel}" for channel in UP]
    lines += [f"pattern read {PREFIX}/%u/{channel}" for channel in DOWN]
    for controller in plan.controllers:
        lines.append(f"user {controller}")
        lines += [f"topic read {PREFIX}/+/{channel}" for channel in UP]
        lines += [f"topic write {PREFIX}/+/{channel}" for channel in DOWN]
    return "\n".join((*lines, ""))


def write_broker_files(plan: BrokerPlan) -> Path:
    """Writes both files into the plan's folder and returns the configuration's path."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    acl = plan.folder / "acl"
    acl.write_text(mosquitto_acl(plan))
    acl.chmod(0o600)
    path = plan.folder / "mosquitto.conf"
    path.write_text(mosquitto_conf(plan))
    return path
