"""`bes controller`: run, check, migrate, backup."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog
import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from controller.api.limits import listener_limits
from controller.app import Role, create_app, create_services
from controller.background import Worker
from controller.config import ControllerConfig, load_config
from controller.errors import ConflictError
from controller.storage.engine import Storage, sqlite_file
from controller.storage.migrate import migrate
from controller.tls import ServerTls
from shared.errors import BadInputError
from shared.host.sqlite_copy import CopyError, copy_database
from shared.host.tracing import check_tracing
from shared.logs import set_up_logs

_GRACE_S = 10
_FOLLOW_S = 30.0
_log = structlog.get_logger()


def main(argv: Sequence[str]) -> int:
    """Exit status: 0 done, 1 not ready, 2 a configuration or database that cannot be used."""
    arguments = _parser().parse_args(list(argv))
    try:
        config = load_config(arguments.config)
        if arguments.command == "migrate":
            return _migrate(config)
        if arguments.command == "backup":
            return _backup(config, arguments.folder)
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
        ("backup", "copy the SQLite database, check the copy, keep a week of them"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--config", type=Path, required=True, metavar="FILE")
        if name == "backup":
            command.add_argument("--folder", type=Path, help="by default backups beside it")
        if name in {"run", "check"}:
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


def _backup(config: ControllerConfig, folder: Path | None) -> int:
    database = sqlite_file(config.database.url)
    if database is None:
        sys.stdout.write("PostgreSQL keeps copies with its own tools (pg_basebackup): not copied\n")
        return 0
    try:
        into = folder or database.parent / "backups"
        copy = copy_database(database, into, "controller", datetime.now(UTC))
    except CopyError as error:
        sys.stderr.write(f"bes controller backup: {error}\n")
        return 1
    sys.stdout.write(f"copied and checked: {copy}\n")
    return 0


def _check(config: ControllerConfig, role: Role) -> int:
    check_tracing(config.tracing)
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
    set_up_logs(config.log_level)
    if migrate_first:
        _migrate(config)
    tls = _tls(config)
    check_tracing(config.tracing)
    app = create_app(config, role)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=config.http.host,
            port=config.http.port,
            log_config=None,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_GRACE_S,
            server_header=False,
            **listener_limits(config.http),
            ssl_context_factory=None if tls is None else lambda _config, _default: tls.context,
        )
    )
    app.state.listening = lambda: server.started
    _log.info("controller starts", role=role.value, host=config.http.host, port=config.http.port)
    follower = None if tls is None else Worker("listener-certificate", tls.follow, _FOLLOW_S)
    if follower is not None:
        follower.start()
    try:
        server.run()
    finally:
        if follower is not None:
            follower.stop()
    return 0 if server.started else 2


def _tls(config: ControllerConfig) -> ServerTls | None:
    http = config.http
    if http.certificate_file is None or http.key_file is None:
        return None
    return ServerTls(http.certificate_file, http.key_file)
