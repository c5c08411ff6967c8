"""`bes agent join | run | check | status | lockout | upkeep | restore`."""

import argparse
import asyncio
import json
import signal
import sqlite3
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.config import AgentConfig, ConfigError, load_config
from shared.errors import BadInputError

OK, FAILED, WRONG_USE = 0, 1, 2
MAX_STATUS_BYTES = 64 * 1024 * 1024


def main(argv: Sequence[str]) -> int:
    """Runs a sub-command; 0 when all is well, 1 when something is not, 2 for wrong arguments."""
    arguments = _parser().parse_args(argv)
    if arguments.action == "join":
        from agent.identity import cli as identity_cli

        return identity_cli.run(arguments)
    try:
        config = load_config(arguments.config)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    match arguments.action:
        case "check":
            return _check(arguments.config, config)
        case "status":
            return _status(config, as_json=arguments.json)
        case "lockout":
            return _lockout(config, arguments)
        case "upkeep":
            return _upkeep(config)
        case "restore":
            return _restore(config, arguments.backup)
        case _:
            return _run(config)


def _run(config: AgentConfig) -> int:
    from agent.database import StorageError
    from agent.runtime.host import DataFolderError
    from agent.runtime.process import run_agent
    from shared.host.tracing import traced_process
    from shared.logs import set_up_logs

    async def until_signalled() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await run_agent(config, stop)

    set_up_logs(config.log_level)
    try:
        with traced_process(config.tracing, "bes-agent", config.node):
            asyncio.run(until_signalled())
    except (DataFolderError, StorageError, BadInputError, OSError) as error:
        sys.stderr.write(f"bes agent run: {error}\n")
        return FAILED
    return OK


def _check(file: Path, config: AgentConfig) -> int:
    from agent.check import check, warnings

    problems = check(config)
    for problem in problems:
        sys.stderr.write(f"{file}: {problem}\n")
    for warning in warnings(config):
        sys.stdout.write(f"{file}: note: {warning}\n")
    if problems:
        return FAILED
    sys.stdout.write(f"{file}: node {config.node}, {len(config.devices)} devices: ready to run\n")
    return OK


def _upkeep(config: AgentConfig) -> int:
    from agent import upkeep
    from shared.host.sqlite_copy import CopyError

    now = datetime.now(UTC)
    status = OK
    try:
        sys.stdout.write(f"copied and checked: {upkeep.copy(config, now)}\n")
    except CopyError as error:
        sys.stderr.write(f"bes agent upkeep: {error}\n")
        status = FAILED
    problem = upkeep.certificate_problem(config, now)
    if problem is not None:
        sys.stderr.write(f"bes agent upkeep: {problem}\n")
        status = FAILED
    return status


def _restore(config: AgentConfig, backup: Path) -> int:
    from agent.runtime.host import DataFolder, DataFolderError
    from agent.upkeep import restore
    from shared.host.sqlite_copy import CopyError

    try:
        folder = DataFolder.take(config.data_dir)
        try:
            restored = restore(config.database_file, backup)
        finally:
            folder.release()
    except (CopyError, DataFolderError) as error:
        sys.stderr.write(f"bes agent restore: {error}\n")
        return FAILED
    kept = "kept the newer database: rows were accepted since the copy was made"
    sys.stdout.write(f"put back {backup}\n" if restored else f"{kept}\n")
    return OK


def _lockout(config: AgentConfig, arguments: argparse.Namespace) -> int:
    from agent import lockout_cli

    try:
        match arguments.what:
            case "set":
                return lockout_cli.set_lockout(
                    config,
                    arguments.device,
                    arguments.person,
                    arguments.reason,
                    arguments.wait_s,
                    sys.stdout,
                )
            case "lift":
                return lockout_cli.lift_lockout(
                    config, arguments.device, arguments.person, sys.stdout
                )
            case _:
                return lockout_cli.list_lockouts(config, sys.stdout)
    except (BadInputError, OSError, sqlite3.Error) as error:
        sys.stderr.write(f"bes agent lockout: {error}\n")
        return FAILED


def _status(config: AgentConfig, *, as_json: bool) -> int:
    from agent.status.text import as_text

    try:
        data = fetch_status(status_address(config))
    except (OSError, HTTPException, ValueError) as error:
        sys.stderr.write(f"bes agent status: the agent does not answer: {error}\n")
        return FAILED
    sys.stdout.write(f"{json.dumps(data, indent=2)}\n" if as_json else as_text(data))
    return OK


def status_address(config: AgentConfig) -> str:
    """Where the running agent's status page is; `OSError` when no agent has left its address."""
    if config.status.port:
        host = config.status.host
        return f"http://{f'[{host}]' if ':' in host else host}:{config.status.port}"
    return config.status_address_file.read_text(encoding="utf-8").strip()


def fetch_status(address: str) -> Any:
    """The status as plain data. Raises `OSError`, `HTTPException` or `ValueError`."""
    place = urlsplit(address)
    if place.hostname is None or place.port is None:
        raise ValueError(f"no address: {address[:80]!r}")
    connection = HTTPConnection(place.hostname, place.port, timeout=10)
    try:
        connection.request("GET", "/status.json", headers={"Accept": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise ValueError(f"HTTP {response.status}")
        return json.loads(response.read(MAX_STATUS_BYTES))
    finally:
        connection.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bes agent", description="The agent of one node.")
    actions = parser.add_subparsers(dest="action", required=True)
    _join(actions.add_parser("join", help="get this host's identity and configuration"))
    _with_config(actions.add_parser("run", help="run until SIGTERM or SIGINT"))
    _with_config(actions.add_parser("check", help="say whether the agent could run"))
    status = actions.add_parser("status", help="ask the running agent how it is")
    _with_config(status)
    status.add_argument("--json", action="store_true", help="as JSON")
    _with_config(actions.add_parser("upkeep", help="copy the database, look at the certificate"))
    restoring = actions.add_parser("restore", help="put a copy back, if no row came since")
    _with_config(restoring)
    restoring.add_argument("backup", type=Path, help="a copy that `upkeep` made")
    lockout = actions.add_parser("lockout", help="lock devices against being energised")
    kinds = lockout.add_subparsers(dest="what", required=True)
    _with_config(kinds.add_parser("list", help="every lock"))
    locking = kinds.add_parser("set", help="lock a device")
    _with_config(locking)
    _of_device(locking)
    locking.add_argument("--reason", required=True, help="why")
    locking.add_argument(
        "--wait-s", type=float, default=120.0, help="wait so long for a write that is under way"
    )
    lifting = kinds.add_parser("lift", help="lift your own lock")
    _with_config(lifting)
    _of_device(lifting)
    return parser


def _join(parser: argparse.ArgumentParser) -> None:
    """The token comes on standard input: everybody on a host can read a process's arguments."""
    parser.add_argument("url", metavar="URL", help="the controller: https://HOST[:PORT]")
    parser.add_argument(
        "--ca-fingerprint", required=True, metavar="SHA256", help="of the authority's key"
    )
    parser.add_argument(
        "--token-stdin", action="store_true", required=True, help="read the token there"
    )
    parser.add_argument(
        "--role", choices=["site", "signer"], help="refuse a token that is for another role"
    )
    parser.add_argument("--config-dir", type=Path, default=Path("/etc/bes"), metavar="DIR")
    parser.add_argument("--data-dir", type=Path, default=Path("/var/lib/bes"), metavar="DIR")


def _with_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, help="the configuration (TOML)")


def _of_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("device", help="the device's name in the configuration")
    parser.add_argument("--person", required=True, help="who holds the lock")
