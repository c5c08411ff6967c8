"""`bes controller`: run, check, migrate."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog
import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from controller.app import Role, create_app, create_services
from controller.config import ControllerConfig, load_config
from controller.errors import ConflictError
from controller.storage.engine import Storage
from controller.storage.migrate import migrate
from shared.errors import BadInputError

_GRACE_S = 10
_log = structlog.get_logger()


def main(argv: Sequence[str]) -> int:
    """Exit status: 0 done, 1 not ready, 2 a configuration or database that cannot be used."""
    arguments = _parser().parse_args(list(argv))
    try:
        config = load_config(arguments.config)
        if arguments.command == "migrate":
            return _migrate(config)
        if arguments.command == "check":
            return _check(config, Role(arguments.role))
        return _run(config, Role(arguments.role), migrate_first=arguments.migrate)
    except (BadInputError, ConflictError) as error:
        sys.stderr.write(f"bes controller: {error}\n")
    except SQLAlchemyError as error:
        sys.stderr.write(f"bes controller: the database: {error}\n")
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bes controller")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("run", "serve until stopped"),
        ("check", "check configuration and database"),
        ("migrate", "bring the database to this software's revision"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--config", type=Path, required=True, metavar="FILE")
        if name != "migrate":
            command.add_argument("--role", choices=[role.value for role in Role], default="all")
        if name == "run":
            command.add_argument("--migrate", action="store_true", help="migrate first")
    return parser


def _migrate(config: ControllerConfig) -> int:
    storage = Storage(config.database.url)
    try:
        sys.stdout.write(f"at revision {migrate(storage)}\n")
    finally:
        storage.close()
    return 0


def _check(config: ControllerConfig, role: Role) -> int:
    create_app(config, role)
    services = create_services(config)
    problems = services.not_ready()
    services.storage.close()
    for part, problem in problems.items():
        sys.stderr.write(f"{part}: {problem}\n")
    if not problems:
        sys.stdout.write("the configuration and the database are good\n")
    return 1 if problems else 0


def _run(config: ControllerConfig, role: Role, *, migrate_first: bool) -> int:
    if migrate_first:
        _migrate(config)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(config, role),
            host=config.http.host,
            port=config.http.port,
            log_level="warning",
            timeout_graceful_shutdown=_GRACE_S,
            server_header=False,
        )
    )
    _log.info("controller starts", role=role.value, host=config.http.host, port=config.http.port)
    server.run()
    return 0 if server.started else 2
