"""Real databases for tests: a PostgreSQL server of the session's own, and SQLite files.

PostgreSQL refuses to run as root, so a root session starts it as the user that owns Debian's
package. Each test gets a fresh database, copied from a migrated template.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from controller.storage.engine import Storage
from controller.storage.migrate import migrate

_START_DEADLINE_S = 120
_USER = "postgres"
_TEMPLATE = "bes_template"


@dataclass(frozen=True, slots=True)
class PostgreSql:
    """A running server on a loopback port."""

    port: int
    pid: int

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://{_USER}@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str) -> None:
        """Runs one statement outside a transaction, in the maintenance database."""
        dsn = f"host=127.0.0.1 port={self.port} user={_USER} dbname=postgres"
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute(statement.encode())

    def create(self, template: str | None = None) -> str:
        """A new database, empty or a copy; returns its name."""
        name = f"t{uuid.uuid4().hex}"
        self.run(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        return name

    def drop(self, name: str) -> None:
        """Drops a database and whoever is connected to it."""
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def postgresql_bin() -> Path | None:
    """The folder of PostgreSQL's server programs, newest version first; None if not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    if found:
        return found[0].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def postgresql_server(*, durable: bool) -> Iterator[PostgreSql]:
    """A server in a temporary folder; `durable` False leaves out fsync, for tests only."""
    programs = postgresql_bin()
    if programs is None:
        raise RuntimeError("PostgreSQL's server is not installed (Debian package postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="bes-pg-"))
    user = _USER if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
    data = folder / "data"
    initdb = [str(programs / "initdb"), "-D", str(data), "-U", _USER, "-A", "trust"]
    initdb += ["-E", "UTF8", "--no-sync", "--locale=C"]
    subprocess.run(initdb, check=True, user=user, cwd=folder, capture_output=True)
    port = _free_port()
    options = ["-c", f"unix_socket_directories={folder}", "-c", "listen_addresses=127.0.0.1"]
    options += ["-c", "max_connections=200", "-p", str(port)]
    if not durable:
        options += ["-c", "fsync=off", "-c", "full_page_writes=off"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, *options],
            user=user,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        running = PostgreSql(port, server.pid)
        _wait_until_it_answers(running, server, folder / "log")
        yield running
    finally:
        server.terminate()
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_answers(
    running: PostgreSql, server: "subprocess.Popen[bytes]", log: Path
) -> None:
    deadline = time.monotonic() + _START_DEADLINE_S
    while True:
        try:
            running.run("SELECT 1")
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"PostgreSQL did not start:\n{log.read_text()[-2000:]}"
                ) from None
            time.sleep(0.05)
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """The session's server, with the migrated template."""
    with postgresql_server(durable=False) as server:
        server.run(f"CREATE DATABASE {_TEMPLATE}")
        storage = Storage(server.url(_TEMPLATE))
        migrate(storage)
        storage.close()
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "controller.db"
    storage = Storage(f"sqlite:///{path}")
    migrate(storage)
    with storage.engine.connect() as conn:
        conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    storage.close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh, migrated database for one test, once on each kind."""
    if request.param == "sqlite":
        path = tmp_path / "controller.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgreSql = request.getfixturevalue("postgresql")
    name = server.create(_TEMPLATE)
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def storage(database_url: str) -> Iterator[Storage]:
    """An open storage on the fresh database."""
    opened = Storage(database_url)
    yield opened
    opened.close()
