"""The files of a whole deployment on one host, on loopback: certificates, broker, configurations.

For the demonstration and the tests of the whole; a real site's identities come from enrolment.
"""

import getpass
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import tomli_w
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from provisioning.authority import Authority, Credentials, make_command_key
from provisioning.broker import BrokerPlan, write_broker_files

HOST = "127.0.0.1"
CONTROLLER = "controller"

Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SingleNode:
    """What the deployment is made of.

    `agent` and `controller` are further tables of their configurations, over the ones written
    here; `broker_port_for_agent` lets the agent reach the broker through something in between.
    `replicas` names further controllers, with certificates of their own.
    """

    folder: Path
    node: str
    site: str
    site_name: str
    broker_port: int
    http_port: int
    database_url: str
    devices: Sequence[Table]
    agent: Table = field(default_factory=dict)
    controller: Table = field(default_factory=dict)
    agent_data: Path | None = None
    broker_port_for_agent: int | None = None
    certificates_last: timedelta = timedelta(days=1)
    replicas: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """Where everything is."""

    broker_config: Path
    broker_folder: Path
    agent_config: Path
    controller_config: Path
    ca_file: Path
    token_file: Path
    command_key_file: Path
    controller_credentials: Credentials
    node_credentials: Credentials

    @property
    def token(self) -> str:
        """The bearer token of the controller's interface."""
        return self.token_file.read_text(encoding="ascii").strip()


def write(plan: SingleNode) -> Written:
    """Makes the keys and certificates and writes every file of the plan."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    authority = Authority("Bitcoin Enterprise Suite, throw-away", plan.certificates_last)
    ca_file = authority.write_certificate(plan.folder / "ca.pem")
    command_key = make_command_key(plan.folder)
    controller = authority.issue(plan.folder, CONTROLLER)
    for replica in plan.replicas:
        authority.issue(plan.folder, replica)
    node = authority.issue(plan.folder, plan.node)
    broker = BrokerPlan(
        folder=plan.folder / "broker",
        port=plan.broker_port,
        ca_file=ca_file,
        credentials=authority.issue(plan.folder, "broker", (HOST, "localhost")),
        controllers=(CONTROLLER, *plan.replicas),
        user=getpass.getuser(),
    )
    written = Written(
        broker_config=write_broker_files(broker),
        broker_folder=broker.folder,
        agent_config=plan.folder / "agent.toml",
        controller_config=plan.folder / "controller.toml",
        ca_file=ca_file,
        token_file=plan.folder / "token",
        command_key_file=command_key.private_file,
        controller_credentials=controller,
        node_credentials=node,
    )
    _write_secret(written.token_file, secrets.token_urlsafe(32))
    _write_toml(written.agent_config, _agent(plan, written, command_key.public_file))
    _write_toml(written.controller_config, _controller(plan, written))
    return written


def key_id(public_key_file: Path) -> str:
    """The id of a command key, in hex: the first 8 bytes of SHA-256 over the raw public key."""
    key = serialization.load_pem_public_key(public_key_file.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise TypeError(f"{public_key_file} holds no Ed25519 key")
    return hashlib.sha256(key.public_bytes_raw()).digest()[:8].hex()


def _agent(plan: SingleNode, written: Written, command_key: Path) -> dict[str, Any]:
    data = plan.agent_data or plan.folder / "agent"
    data.mkdir(parents=True, exist_ok=True)
    return _merged(
        {
            "node": plan.node,
            "role": "site",
            "data_dir": str(data),
            "broker": _broker(
                plan.broker_port_for_agent or plan.broker_port,
                written.ca_file,
                written.node_credentials,
            ),
            "commands": {"trusted_keys": {key_id(command_key): str(command_key)}},
            "device": [dict(device) for device in plan.devices],
        },
        plan.agent,
    )


def _controller(plan: SingleNode, written: Written) -> dict[str, Any]:
    return _merged(
        {
            "database": {"url": plan.database_url},
            "broker": _broker(plan.broker_port, written.ca_file, written.controller_credentials),
            "http": {
                "host": HOST,
                "port": plan.http_port,
                "token_file": str(written.token_file),
            },
            "commands": {"signing_key_file": str(written.command_key_file)},
            "site": [{"id": plan.site, "name": plan.site_name, "nodes": [plan.node]}],
        },
        plan.controller,
    )


def _broker(port: int, ca_file: Path, credentials: Credentials) -> dict[str, Any]:
    return {
        "host": HOST,
        "port": port,
        "ca_file": str(ca_file),
        "certificate_file": str(credentials.certificate_file),
        "key_file": str(credentials.key_file),
    }


def _merged(base: dict[str, Any], more: Table) -> dict[str, Any]:
    """`more` over `base`, table by table."""
    merged = dict(base)
    for key, value in more.items():
        known = merged.get(key)
        both = isinstance(known, dict) and isinstance(value, Mapping)
        merged[key] = _merged(known, value) if both and isinstance(known, dict) else value
    return merged


def _write_toml(path: Path, data: dict[str, Any]) -> None:
    path.write_text(tomli_w.dumps(data), encoding="utf-8")


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(f"{text}\n", encoding="ascii")
