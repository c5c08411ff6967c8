"""The files of a controller's host that are neither code nor database.

    python -m provisioning.install.controller_host HOST --url URL --broker-host HOST

Makes what is missing below /etc/bes/controller and leaves what is there: secrets that systemd hands
to the controller, its configuration, the list of certificates that `certificates` keeps. Each file
that was made is printed, so that a second run prints nothing.
"""

import argparse
import json
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tomli_w
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from provisioning.ca.files import replace_file

CREDENTIALS = Path("/run/credentials/bes-controller.service")
"""Where systemd puts what bes-controller.service loads (systemd.exec(5), LoadCredential=)."""
DATA = Path("/var/lib/bes")
BROKER_ETC = Path("/etc/bes-broker")
BROKER_LOG = Path("/var/log/mosquitto/bes.log")
"""Where `bes provision broker` has the broker write its log."""
CLIENT_NAME = "controller"


@dataclass(frozen=True, slots=True)
class HostPlan:
    """A controller's host: the names and addresses it is reached by, and the broker's."""

    addresses: tuple[str, ...]
    url: str
    broker_host: str
    broker_port: int
    etc: Path
    with_broker: bool
    database_url: str


def configuration(plan: HostPlan) -> dict[str, Any]:
    """The controller's configuration. Pure."""
    place = urlsplit(plan.url)
    return {
        "database": {"url": plan.database_url},
        "http": {
            "host": "0.0.0.0",  # noqa: S104 - what nodes and browsers reach, with TLS 1.3
            "port": place.port or 443,
            "certificate_file": str(plan.etc / "certificates" / "http.pem"),
            "key_file": str(CREDENTIALS / "http.key"),
        },
        "access": {
            "origin": plan.url,
            "factor_key_file": str(CREDENTIALS / "factors.key"),
        },
        "broker": {
            "host": "127.0.0.1" if plan.with_broker else plan.broker_host,
            "port": plan.broker_port,
            "ca_file": str(CREDENTIALS / "roots.pem"),
            "certificate_file": str(plan.etc / "certificates" / "controller.pem"),
            "key_file": str(CREDENTIALS / "broker.key"),
            "client_id": CLIENT_NAME,
        },
        "commands": {"signing_key_file": str(CREDENTIALS / "commands.key")},
        "audit": {"signing_key_file": str(CREDENTIALS / "audit.key")},
        "enrolment": {
            "issuer_certificate_file": str(CREDENTIALS / "issuer.pem"),
            "issuer_key_file": str(CREDENTIALS / "issuer.key"),
            "root_files": [str(CREDENTIALS / "roots.pem")],
            "crl_file": str(DATA / "crl" / "nodes.crl"),
            "url": plan.url,
            "broker_host": plan.broker_host,
            "broker_port": plan.broker_port,
        },
        "security": {"broker_log_file": str(BROKER_LOG)} if plan.with_broker else {},
        "web": {"vendor_dir": "/opt/bes/current/web/uplot"},
    }


def certificates(plan: HostPlan) -> dict[str, Any]:
    """What `provisioning.install.certificates` keeps. Pure."""
    folder = plan.etc / "certificates"
    controller = ["bes-controller.service"]
    listed: list[dict[str, Any]] = [
        {
            "name": "http",
            "certificate": str(folder / "http.pem"),
            "key": str(folder / "http.key"),
            "addresses": list(plan.addresses),
            "units": controller,
        },
        {
            "name": CLIENT_NAME,
            "certificate": str(folder / "controller.pem"),
            "key": str(folder / "controller.key"),
            "units": controller,
        },
    ]
    if plan.with_broker:
        listed.append(
            {
                "name": "broker",
                "certificate": str(BROKER_ETC / "certificates" / "broker.pem"),
                "key": str(BROKER_ETC / "certificates" / "broker.key"),
                "addresses": sorted({*plan.addresses, "127.0.0.1", "localhost"}),
                "owner": "mosquitto",
                "units": ["mosquitto.service"],
                "reload": True,
            }
        )
    return {
        "authority": str(plan.etc / "ca"),
        "days": 7,
        "certificates": listed,
        "roots": [str(BROKER_ETC / "roots.pem")] if plan.with_broker else [],
    }


def prepare(plan: HostPlan) -> tuple[Path, ...]:
    """Makes what is missing; what was made. Nothing that exists is changed."""
    listed = json.dumps(certificates(plan), indent=2)
    return (
        *make_secrets(plan.etc),
        *_made(plan.etc / "controller.toml", tomli_w.dumps(configuration(plan)).encode(), 0o644),
        *_made(plan.etc / "certificates.json", listed.encode(), 0o644),
    )


def make_secrets(etc: Path) -> tuple[Path, ...]:
    """Makes the secrets that the unit of this version loads and that are missing: without one of
    them it would not start."""
    folder = etc / "secrets"
    return (
        *_made(folder / "factors.key", secrets.token_bytes(32), 0o600),
        *_made(folder / "commands.key", _signing_key(), 0o600),
        *_made(folder / "audit.key", _signing_key(), 0o600),
    )


def _made(path: Path, content: bytes, mode: int) -> tuple[Path, ...]:
    if path.exists():
        return ()
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    replace_file(path, content)
    path.chmod(mode)
    return (path,)


def _signing_key() -> bytes:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def main(argv: Sequence[str]) -> int:
    """Exit status 0; prints each file that was made."""
    parser = argparse.ArgumentParser(prog="controller_host", description=__doc__)
    parser.add_argument("address", nargs="*", help="a name or address the host is reached by")
    parser.add_argument("--secrets-only", action="store_true", help="for an upgrade")
    parser.add_argument("--url")
    parser.add_argument("--broker-host")
    parser.add_argument("--broker-port", type=int, default=8883)
    parser.add_argument("--with-broker", action="store_true")
    parser.add_argument("--etc", type=Path, default=Path("/etc/bes/controller"))
    parser.add_argument(
        "--database-url", default=f"sqlite:///{DATA / 'controller' / 'controller.sqlite'}"
    )
    arguments = parser.parse_args(list(argv))
    if arguments.secrets_only:
        _print(make_secrets(arguments.etc))
        return 0
    if not (arguments.address and arguments.url and arguments.broker_host):
        parser.error("an address, --url and --broker-host, or --secrets-only")
    plan = HostPlan(
        addresses=tuple(arguments.address),
        url=arguments.url,
        broker_host=arguments.broker_host,
        broker_port=arguments.broker_port,
        etc=arguments.etc,
        with_broker=arguments.with_broker,
        database_url=arguments.database_url,
    )
    _print(prepare(plan))
    return 0


def _print(made: Sequence[Path]) -> None:
    for path in made:
        sys.stdout.write(f"made: {path}\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
