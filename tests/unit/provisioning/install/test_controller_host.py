"""The files of a controller's host, and the way back after an upgrade."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import tomli_w

from controller.config import load_config
from provisioning.install.certificates import read_plan
from provisioning.install.controller_host import HostPlan, configuration, prepare
from provisioning.install.rollback import main, put_back


@pytest.fixture(name="plan")
def _plan(tmp_path: Path) -> HostPlan:
    return HostPlan(
        addresses=("bes.example",),
        url="https://bes.example:8443",
        broker_host="broker.example",
        broker_port=8883,
        etc=tmp_path / "etc",
        with_broker=True,
        database_url=f"sqlite:///{tmp_path}/controller.sqlite",
    )


def test_the_configuration_is_one_that_the_controller_reads(plan: HostPlan, tmp_path: Path) -> None:
    file = tmp_path / "controller.toml"
    file.write_text(tomli_w.dumps(configuration(plan)))
    config = load_config(file, {})
    assert config.http.port == 8443
    assert config.enrolment is not None
    assert config.enrolment.broker_host == "broker.example"


def test_no_secret_stands_in_it_and_each_is_a_credential(plan: HostPlan) -> None:
    unit = (Path(__file__).resolve().parents[4] / "systemd/bes-controller.service").read_text()
    text = tomli_w.dumps(configuration(plan))
    named = {
        line.split("/run/credentials/bes-controller.service/")[1].strip('"[],')
        for line in text.splitlines()
        if "/run/credentials/" in line
    }
    assert {"token", "commands.key", "issuer.key", "broker.key", "http.key"} <= named
    for name in named:
        assert f"LoadCredential={name}:" in unit


def test_what_is_there_is_left_as_it_is(plan: HostPlan) -> None:
    made = prepare(plan)
    assert len(made) == 5
    before = {path: path.read_bytes() for path in made}
    assert prepare(plan) == ()
    assert {path: path.read_bytes() for path in made} == before
    assert (plan.etc / "secrets" / "token").stat().st_mode & 0o077 == 0
    assert len(read_plan((plan.etc / "certificates.json").read_text()).wanted) == 3


def _database(path: Path, revision: str, rows: int) -> Path:
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("CREATE TABLE alembic_version (version_num TEXT)")
        conn.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
        conn.execute("CREATE TABLE kept (n INTEGER)")
        conn.executemany("INSERT INTO kept VALUES (?)", [(n,) for n in range(rows)])
        conn.commit()
    return path


def _rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as conn:
        return int(conn.execute("SELECT count(*) FROM kept").fetchone()[0])


def test_an_unchanged_schema_keeps_the_database_with_all_that_came_since(tmp_path: Path) -> None:
    live = _database(tmp_path / "live", "0007", 9)
    assert not put_back(live, _database(tmp_path / "copy", "0007", 5))
    assert _rows(live) == 9


def test_a_changed_schema_puts_the_copy_back(tmp_path: Path) -> None:
    live = _database(tmp_path / "live", "0008", 9)
    assert main([str(live), str(_database(tmp_path / "copy", "0007", 5))]) == 0
    assert _rows(live) == 5
    assert main([str(live), str(tmp_path / "missing")]) == 1
    assert _rows(live) == 5
