"""The files of a controller's host, and the way back after an upgrade."""

import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import tomli_w

from controller.access.factor_seal import FactorSeal
from controller.config import load_config
from provisioning.install.certificates import read_plan
from provisioning.install.controller_host import HostPlan, certificates, configuration, prepare
from provisioning.install.controller_host import main as prepare_host
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


def test_an_installed_controller_has_no_token_of_its_own(plan: HostPlan, tmp_path: Path) -> None:
    file = tmp_path / "controller.toml"
    file.write_text(tomli_w.dumps(configuration(plan)))
    assert load_config(file, {}).http.token_file is None


def test_second_factors_are_sealed_with_a_key_of_this_host(plan: HostPlan) -> None:
    prepare(plan)
    seal = FactorSeal.load(plan.etc / "secrets" / "factors.key")
    assert "JBSWY3DP" not in seal.seal(1, "JBSWY3DP")


def test_no_secret_stands_in_it_and_each_is_a_credential(plan: HostPlan) -> None:
    unit = (Path(__file__).resolve().parents[4] / "systemd/bes-controller.service").read_text()
    text = tomli_w.dumps(configuration(plan))
    named = {
        line.split("/run/credentials/bes-controller.service/")[1].strip('"[],')
        for line in text.splitlines()
        if "/run/credentials/" in line
    }
    assert {"factors.key", "commands.key", "issuer.key", "broker.key", "http.key"} <= named
    for name in named:
        assert f"LoadCredential={name}:" in unit


def test_the_renewal_may_write_where_each_certificate_lies(plan: HostPlan) -> None:
    unit = (Path(__file__).resolve().parents[4] / "systemd/bes-renew.service").read_text()
    (line,) = (line for line in unit.splitlines() if line.startswith("ReadWritePaths="))
    writable = [path.lstrip("-") for path in line.partition("=")[2].split()]
    installed = replace(plan, etc=Path("/etc/bes/controller"))
    kept = certificates(installed)
    files = [file for item in kept["certificates"] for file in (item["certificate"], item["key"])]
    assert "/etc/bes-broker/roots.pem" in kept["roots"]
    for file in (*files, *kept["roots"]):
        assert any(file.startswith(f"{path}/") for path in writable), file


def test_what_is_there_is_left_as_it_is(plan: HostPlan) -> None:
    made = prepare(plan)
    assert len(made) == 5
    before = {path: path.read_bytes() for path in made}
    assert prepare(plan) == ()
    assert {path: path.read_bytes() for path in made} == before
    assert (plan.etc / "secrets" / "factors.key").stat().st_mode & 0o077 == 0
    assert len(read_plan((plan.etc / "certificates.json").read_text()).wanted) == 3


def test_an_upgrade_makes_the_secrets_that_its_units_load_and_nothing_else(
    plan: HostPlan, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(plan)
    (plan.etc / "secrets" / "factors.key").unlink()  # an earlier version had none
    (plan.etc / "certificates.json").unlink()
    kept = (plan.etc / "secrets" / "audit.key").read_bytes()
    assert prepare_host(["--secrets-only", "--etc", str(plan.etc)]) == 0
    assert capsys.readouterr().out == f"made: {plan.etc / 'secrets' / 'factors.key'}\n"
    assert (plan.etc / "secrets" / "audit.key").read_bytes() == kept
    assert not (plan.etc / "certificates.json").exists()
    unit = (Path(__file__).resolve().parents[4] / "systemd/bes-controller.service").read_text()
    loaded = set(re.findall(r"(?m)^LoadCredential=\S+:/etc/bes/controller/secrets/(\S+)$", unit))
    assert loaded == {file.name for file in (plan.etc / "secrets").iterdir()}


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
    config = _config(tmp_path, f"sqlite:///{live}")
    copy = _database(tmp_path / "copy", "0007", 5)
    assert main(["--compare", str(config), str(copy)]) == 1
    assert main([str(config), str(copy)]) == 0
    assert _rows(live) == 5
    assert main([str(config), str(tmp_path / "missing")]) == 1
    assert _rows(live) == 5


def _config(folder: Path, url: str) -> Path:
    file = folder / "controller.toml"
    file.write_text(tomli_w.dumps({"database": {"url": url}}))
    return file


def test_the_copy_goes_where_the_configuration_says_that_the_database_is(tmp_path: Path) -> None:
    elsewhere = tmp_path / "another disk" / "bes.db"
    elsewhere.parent.mkdir()
    _database(elsewhere, "0008", 9)
    usual = _database(tmp_path / "controller.sqlite", "0008", 7)
    copy = _database(tmp_path / "copy", "0007", 5)
    assert main([str(_config(tmp_path, f"sqlite:///{elsewhere}")), str(copy)]) == 0
    assert (_rows(elsewhere), _rows(usual)) == (5, 7)


def test_an_unreadable_configuration_is_told_and_counts_as_no_way_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check", str(tmp_path / "none.toml")]) == 1
    assert "none.toml" in capsys.readouterr().err
