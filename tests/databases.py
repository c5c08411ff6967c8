"""Real databases for tests: a PostgreSQL server of the session's own, and SQLite files.

PostgreSQL refuses to run as root, so a root session starts it as the user that owns Debian's
package. Each test gets a fresh database, copied from a migrated template.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from controller.storage.engine import Storage
from controller.storage.migrate import migrate

_START_DEADLINE_S = 120
_USER = "postgres"
KINDS = ("sqlite", "postgresql")
_TEMPLATE = "bes_template"
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
_ROOM_B = 2 << 30
_FOR_TESTS = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "256MB"}


class PostgreSql:
    """A server on a loopback port, with its data in a folder of its own."""

    def __init__(self, programs: Path, folder: Path, *, durable: bool) -> None:
        self.port = _free_port()
        self._programs = programs
        self._folder = folder
        self._user = _USER if os.geteuid() == 0 else None
        settings = {} if durable else _FOR_TESTS
        self._options = [part for name in settings for part in ("-c", f"{name}={settings[name]}")]
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Makes the empty database cluster."""
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        command = [str(self._programs / "initdb"), "-D", str(self._folder / "data"), "-U", _USER]
        command += ["-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"]
        subprocess.run(command, check=True, user=self._user, cwd=self._folder, capture_output=True)

    def start(self) -> None:
        """Starts the server and returns when it answers."""
        command = [str(self._programs / "postgres"), "-D", str(self._folder / "data")]
        command += ["-p", str(self.port), *self._options]
        command += ["-c", f"unix_socket_directories={self._folder}"]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"]
        log_file = self._folder / "log"
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                user=self._user,
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        self._wait_until_it_answers(self._process, log_file)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stops it: SIGINT ends connections at once, SIGQUIT does so without a shutdown, as a crash
        would, and SIGTERM waits for them."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _wait_until_it_answers(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        deadline = time.monotonic() + _START_DEADLINE_S
        while True:
            try:
                self.run("SELECT 1")
            except psycopg.OperationalError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(
                        f"PostgreSQL did not start:\n{log.read_text()[-2000:]}"
                    ) from None
                time.sleep(0.05)
            else:
                return

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
    """A running server in a temporary folder; `durable` False leaves out fsync, for tests only."""
    programs = postgresql_bin()
    if programs is None:
        raise RuntimeError("PostgreSQL's server is not installed (Debian package postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="bes-pg-", dir=None if durable else _in_memory()))
    server = PostgreSql(programs, folder, durable=durable)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop(signal.SIGTERM)
        shutil.rmtree(folder, ignore_errors=True)


def _in_memory() -> Path | None:
    """Where a database is copied in 20 ms: on a busy disk it took 400, for every test again."""
    roomy = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)
    return _MEMORY if roomy and shutil.disk_usage(_MEMORY).free >= _ROOM_B else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def counted_queries(storage: Storage) -> Iterator[list[str]]:
    """The SELECT statements that are executed meanwhile."""
    statements: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            statements.append(statement)

    event.listen(storage.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(storage.engine, "before_cursor_execute", note)


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


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh, migrated database for one test, once on each kind."""
    with fresh_database(request, tmp_path) as url:
        yield url


@contextmanager
def fresh_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """A migrated database of the kind that the fixture asking has as its parameter."""
    if request.param == "sqlite":
        path = folder / "controller.db"
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
