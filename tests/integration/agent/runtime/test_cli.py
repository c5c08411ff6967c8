"""`bes agent`, sub-command by sub-command, as an operator calls it."""

import asyncio
import json
import sqlite3
import sys
from pathlib import Path

import pytest

from agent.cli import main
from agent.config import load_config
from agent.database import Database
from agent.runtime.host import DataFolder, DataFolderError
from agent.runtime.process import run_agent
from agent.site.intents import Order, begin
from shared.messages.actions import SetSetpoint
from shared.messages.event import Event, EventKind
from shared.setpoints import Run
from tests.brokers import Broker
from tests.integration.agent.runtime.installations import Installation, installed

Output = pytest.CaptureFixture[str]


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    return installed(tmp_path, Broker(tmp_path / "broker"))


def called(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


def test_a_configuration_that_is_right_is_ready_to_run(site: Installation, capsys: Output) -> None:
    assert called("check", "--config", site.file) == 0
    assert "site-a-01, 1 devices: ready to run" in capsys.readouterr().out
    assert not site.data_dir.exists(), "a check changes nothing"


@pytest.mark.parametrize(
    ("old", "new", "key", "allowed"),
    [
        ("port = 0", "port = 70000", "status.port", "65535"),
        ("[status]", '[status]\nhost = "0.0.0.0"', "status.host", "127.0.0.1"),
        ('node = "site-a-01"', 'node = "Site A"', "node", "lower-case DNS label"),
        ('driver = "luxos"', 'driver = "abacus"', "device.0.driver", "whatsminer"),
        (
            'name = "miner-1"',
            'name = "miner-1"\ncolour = "red"',
            "device.0.colour",
            "rated_power_w",
        ),
        ("[buffer]", "[buffer]\ndisk_budget_gib = 4", "buffer.disk_budget_gib", "disk_budget_mib"),
        ('"a1b2c3d4"', '"xyz"', "commands.trusted_keys.xyz", "hex"),
        ("interval_s = 0.2", "interval_s = 0", "collect.interval_s", "greater than 0"),
        ('data_dir = "data"', 'data_dir = "data"\nrole = "signer"', "role", "site"),
    ],
)
def test_what_is_wrong_is_said_with_file_key_and_what_is_allowed(
    site: Installation, capsys: Output, old: str, new: str, key: str, allowed: str
) -> None:
    site.replace(old, new)
    assert called("check", "--config", site.file) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{site.file}: {key}")
    assert allowed in line


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("controller.pem", "absent.pem", "commands.trusted_keys.a1b2c3d4"),
        ("ca.pem", "absent.pem", "broker.ca_file"),
        ('data_dir = "data"', 'data_dir = "agent.toml/data"', "data_dir"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    site: Installation, capsys: Output, old: str, new: str, key: str
) -> None:
    site.replace(old, new)
    assert called("check", "--config", site.file) == 1
    assert f"{site.file}: {key}: " in capsys.readouterr().err


def test_a_key_that_is_not_the_certificates_is_noticed(site: Installation, capsys: Output) -> None:
    other = site.broker.credentials("somebody").key_file
    site.replace(str(site.broker.credentials("site-a-01").key_file), str(other))
    assert called("check", "--config", site.file) == 1
    assert f"{site.file}: broker: " in capsys.readouterr().err


def test_a_model_that_is_not_in_its_manifest_is_refused(site: Installation, capsys: Output) -> None:
    (site.file.parent / "manifest.json").write_text("{}", encoding="utf-8")
    site.add('[model]\nmanifest = "manifest.json"\n')
    assert called("check", "--config", site.file) == 1
    assert f"{site.file}: model.manifest: " in capsys.readouterr().err


def test_a_collector_without_the_library_for_it_is_noticed(
    site: Installation, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "shared.host.otlp", raising=False)
    site.add('[tracing]\nendpoint = "http://127.0.0.1:4318/v1/traces"\n')
    assert called("check", "--config", site.file) == 1
    assert f"{site.file}: tracing: opentelemetry" in capsys.readouterr().err


def test_what_an_operator_may_not_have_meant_is_a_note(site: Installation, capsys: Output) -> None:
    site.replace('trusted_keys = { "a1b2c3d4" = "controller.pem" }', "")
    site.add("[clock]\nrate = 60\n")
    assert called("check", "--config", site.file) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if ": note: " in line]
    assert ["commands.trusted_keys" in notes[0], "clock" in notes[1]] == [True, True]


def test_the_environment_overrides_the_file(
    site: Installation, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BES__BROKER__PORT", "0")
    assert called("check", "--config", site.file) == 1
    assert "broker.port" in capsys.readouterr().err


def test_the_status_of_an_agent_that_does_not_run_is_an_error(
    site: Installation, capsys: Output
) -> None:
    assert called("status", "--config", site.file) == 1
    assert "does not answer" in capsys.readouterr().err


def test_an_absent_file_is_an_error_without_a_traceback(tmp_path: Path, capsys: Output) -> None:
    assert called("run", "--config", tmp_path / "absent.toml") == 1
    assert "absent.toml: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["run"], ["dance", "--config", "x"]])
def test_wrong_use_is_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def locking(site: Installation, what: str, person: str, device: str = "miner-1") -> int:
    reason = ("--reason", "fan replacement") if what == "set" else ()
    return called("lockout", what, device, "--config", site.file, "--person", person, *reason)


def test_a_lock_is_set_listed_and_lifted_by_its_own_person_only(
    site: Installation, capsys: Output
) -> None:
    assert locking(site, "set", "Eve") == 0
    assert locking(site, "set", "Bob") == 0
    assert locking(site, "set", "Eve") == 1, "one lock each"
    capsys.readouterr()
    assert called("lockout", "list", "--config", site.file) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[:2] for line in lines] == [["miner-1", "Eve"], ["miner-1", "Bob"]]
    assert "fan replacement" in lines[0]
    assert locking(site, "lift", "Mallory") == 1
    assert "Eve, Bob" in capsys.readouterr().err
    assert locking(site, "lift", "Eve") == 0
    assert "still locked by Bob" in capsys.readouterr().out
    assert locking(site, "lift", "Bob") == 0
    assert "it is free" in capsys.readouterr().out


def test_each_lock_and_its_lifting_is_an_event(site: Installation) -> None:
    locking(site, "set", "Eve")
    locking(site, "lift", "Eve")
    with sqlite3.connect(site.data_dir / "agent.sqlite") as connection:
        rows = connection.execute("SELECT body FROM event ORDER BY seq").fetchall()
    connection.close()
    events = [Event.decode(body) for (body,) in rows]
    assert [(e.kind, e.device, e.data["locked"]) for e in events] == [
        (EventKind.LOCKOUT, "miner-1", True),
        (EventKind.LOCKOUT, "miner-1", False),
    ]


def test_a_device_that_the_site_does_not_have_cannot_be_locked(
    site: Installation, capsys: Output
) -> None:
    assert locking(site, "set", "Eve", "miner-9") == 1
    assert "allowed: miner-1" in capsys.readouterr().err


def test_whoever_locks_is_told_of_a_write_that_is_under_way(
    site: Installation, capsys: Output
) -> None:
    called("lockout", "list", "--config", site.file)
    with sqlite3.connect(site.data_dir / "agent.sqlite") as connection:
        begin(connection, [Order(SetSetpoint("miner-1", Run()), "test", 10**15)], 0)
    connection.close()
    arguments = ("--person", "Eve", "--reason", "fan", "--wait-s", "0")
    assert called("lockout", "set", "miner-1", "--config", site.file, *arguments) == 3
    assert "Prove it dead" in capsys.readouterr().out


async def test_a_lock_can_be_set_while_the_database_is_in_use(site: Installation) -> None:
    database = await Database.open(site.data_dir / "agent.sqlite")
    try:
        assert locking(site, "set", "Eve") == 0
        count = await database.read(lambda c: c.execute("SELECT count(*) FROM lockouts").fetchone())
        assert count == (1,)
    finally:
        await database.close()


async def test_two_agents_do_not_share_a_data_folder(site: Installation) -> None:
    folder = DataFolder.take(site.data_dir)
    try:
        with pytest.raises(DataFolderError, match="another agent runs here"):
            await run_agent(load_config(site.file, {}), asyncio.Event())
    finally:
        folder.release()
    DataFolder.take(site.data_dir).release()


def test_json_is_what_the_page_serves(
    site: Installation, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.cli.fetch_status", lambda _address: {"node": "site-a-01"})
    monkeypatch.setattr("agent.cli.status_address", lambda _config: "http://127.0.0.1:1")
    assert called("status", "--config", site.file, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"node": "site-a-01"}
