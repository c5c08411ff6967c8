"""`bes node`: the command it prints, and what it refuses before anything is sent."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.enrolment.cli import install_command, join_command, main
from controller.enrolment.client import Access
from shared.errors import BadInputError

ROOT = Path(__file__).resolve().parents[4]
MADE = {
    "token": "site-a-01.abcdefghijklmnopqrstuvwxyz",
    "url": "https://controller.example:8443",
    "ca_fingerprint": "sha256:" + "ab" * 32,
}


@pytest.mark.parametrize("command", [install_command, join_command])
def test_the_token_is_no_argument_of_a_process(command: Callable[..., str]) -> None:
    printing, joining = command(MADE, "site").split(" | ")
    assert shlex.split(printing) == ["printf", "%s", MADE["token"]]
    assert MADE["token"] not in joining
    assert shlex.split(joining)[-3:] == [
        "--ca-fingerprint",
        MADE["ca_fingerprint"],
        "--token-stdin",
    ]


@pytest.mark.parametrize("role", ["site", "signer"])
def test_a_fresh_host_is_told_to_run_the_installer_that_is_shipped(role: str) -> None:
    _, installing = install_command(MADE, role).split(" | sudo ")
    script, *options = shlex.split(installing)
    text = (ROOT / script).read_text()
    assert [*options[:4]] == ["--role", role, "--url", MADE["url"]]
    for option in (word for word in options if word.startswith("--")):
        assert f"    {option}) " in text


@pytest.mark.parametrize("role", ["site", "signer"])
def test_an_installed_host_joins_where_its_units_read(role: str) -> None:
    _, joining = join_command(MADE, role).split(" | sudo ")
    assert shlex.split(joining)[:8] == [
        *("bes", "agent", "join", MADE["url"]),
        *("--config-dir", f"/etc/bes/{role}", "--data-dir", f"/var/lib/bes/{role}"),
    ]
    unit = (ROOT / "systemd" / "bes-agent@.service").read_text()
    assert "--config /etc/bes/%i/agent.toml" in unit
    assert "BindPaths=/var/lib/bes/%i" in unit


@pytest.mark.parametrize("command", [install_command, join_command])
def test_what_the_controller_says_cannot_become_a_command(command: Callable[..., str]) -> None:
    printed = command({**MADE, "url": "https://x; rm -rf /"}, "site")
    assert "'https://x; rm -rf /'" in printed


@pytest.mark.parametrize("url", ["http://controller.example", "ftp://127.0.0.1", "controller"])
def test_a_token_never_travels_in_the_clear(url: str) -> None:
    with pytest.raises(BadInputError, match="url"):
        Access(url, Path("token"))


def test_loopback_may_do_without_tls() -> None:
    assert Access("http://127.0.0.1:8080", Path("token")).url == "http://127.0.0.1:8080"


def test_a_missing_token_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "token"
    status = main(["--url", "https://127.0.0.1:1", "--token-file", str(file), "list"])
    assert status == 1
    assert str(file) in capsys.readouterr().err


def test_missing_options_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("BES_URL", "BES_API_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert main(["list"]) == 1
    said = capsys.readouterr().err
    assert "--url" in said
    assert "--token-file" in said
