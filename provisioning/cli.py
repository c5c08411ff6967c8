"""`bes provision`: what a site's own programs are configured with."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from provisioning.authority import Credentials
from provisioning.broker import BrokerLimits, BrokerPlan
from provisioning.broker_site import SitePlan, find_plugin, write
from provisioning.ca.errors import CeremonyError
from shared.errors import BadInputError


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 written, 1 refused (nothing was written), 2 a wrong command line."""
    arguments = _parser().parse_args(argv)
    try:
        _broker(arguments)
    except (BadInputError, CeremonyError) as error:
        sys.stderr.write(f"bes provision: {error}\n")
        return 1
    except (OSError, LookupError) as error:
        sys.stderr.write(f"bes provision: {error}\n")
        return 1
    return 0


def _broker(arguments: argparse.Namespace) -> None:
    plugin = arguments.plugin or find_plugin()
    if plugin is None:
        raise BadInputError(
            "plugin", "mosquitto's dynamic-security plug-in is not installed", "Debian's mosquitto"
        )
    plan = SitePlan(
        broker=BrokerPlan(
            folder=arguments.data,
            port=arguments.port,
            host=arguments.host,
            ca_file=arguments.ca,
            credentials=Credentials(arguments.certificate, arguments.key),
            controllers=tuple(arguments.controller or ["controller"]),
            observers=tuple(arguments.observer),
            user=arguments.user,
            crl_file=arguments.crl,
            dynamic_security=plugin,
            watched=True,
            log_file=arguments.log,
            limits=BrokerLimits(connections=arguments.connections),
        ),
        etc=arguments.etc,
        units=arguments.units,
        logrotate=arguments.logrotate,
    )
    written = write(plan)
    for path in written:
        sys.stdout.write(f"written: {path}\n")
    if not written:
        sys.stdout.write("nothing to change\n")
        return
    sys.stdout.write(
        "to take it into use:\n"
        "  systemctl daemon-reload\n"
        "  systemctl enable --now bes-broker-reload.path bes-broker-{reload,log}.timer\n"
        "  systemctl restart mosquitto\n"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bes provision", description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    broker = commands.add_parser("broker", help="write mosquitto's configuration for a site")
    for name, text in (
        ("ca", "the roots that clients' certificates lead to (PEM)"),
        ("certificate", "the broker's own certificate, its intermediate behind it (PEM)"),
        ("key", "its key (PEM)"),
        ("crl", "the lists of revoked certificates that the controller keeps (PEM)"),
    ):
        broker.add_argument(f"--{name}", type=Path, required=True, metavar="FILE", help=text)
    broker.add_argument("--host", default="0.0.0.0", help="the address to listen on")  # noqa: S104 - what nodes reach
    broker.add_argument("--port", type=_port, default=8883)
    broker.add_argument(
        "--controller", action="append", metavar="CN", help="a controller's certificate; repeatable"
    )
    broker.add_argument(
        "--observer", action="append", default=[], metavar="CN", help="may read all, for bes tap"
    )
    broker.add_argument("--connections", type=int, default=BrokerLimits().connections)
    broker.add_argument("--user", default="mosquitto")
    for name, default in (
        ("etc", "/etc/bes-broker"),
        ("data", "/var/lib/bes-broker"),
        ("log", "/var/log/mosquitto/bes.log"),
        ("units", "/etc/systemd/system"),
        ("logrotate", "/etc/bes-broker/logrotate.conf"),
    ):
        broker.add_argument(f"--{name}", type=Path, default=Path(default), metavar="PATH")
    broker.add_argument("--plugin", type=Path, metavar="FILE", help="where it is not Debian's")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65_535:
        raise argparse.ArgumentTypeError("1 to 65535")
    return port
