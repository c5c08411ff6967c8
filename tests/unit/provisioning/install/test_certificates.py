"""The certificates of the controller's own host."""

import json
import shutil
import stat
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provisioning.authority import Authority
from provisioning.install.certificates import Plan, Wanted, main, read_plan, renew
from shared.errors import BadInputError
from shared.identity.keys import key_pem
from shared.identity.pem import certificates_pem, read_certificates

NOW = datetime.now(UTC).replace(microsecond=0)
WEEK = timedelta(days=7)


@pytest.fixture(name="authority")
def _authority(tmp_path: Path) -> Path:
    folder = tmp_path / "ca"
    install_authority(folder, "one")
    return folder


def install_authority(folder: Path, name: str) -> None:
    issuer = Authority(name).issuer
    generation = folder / "generations" / name
    generation.mkdir(parents=True)
    (generation / "key.pem").touch(mode=0o600)
    (generation / "key.pem").write_bytes(key_pem(issuer.key))
    (generation / "chain.pem").write_bytes(certificates_pem(issuer.chain))
    current = folder / "current"
    current.unlink(missing_ok=True)
    current.symlink_to(generation)


def plan_of(authority: Path, addresses: tuple[str, ...] = ("127.0.0.1",)) -> Plan:
    folder = authority.parent / "certificates"
    return Plan(
        authority,
        WEEK,
        (
            Wanted("http", folder / "http.pem", folder / "http.key", addresses),
            Wanted("controller", folder / "controller.pem", folder / "controller.key"),
        ),
    )


def serial(wanted: Wanted) -> int:
    return read_certificates(wanted.certificate.read_bytes())[0].serial_number


def test_what_is_missing_is_made_and_what_is_good_stays(authority: Path) -> None:
    plan = plan_of(authority)
    assert renew(plan, NOW).renewed == plan.wanted
    before = [serial(wanted) for wanted in plan.wanted]
    assert renew(plan, NOW + WEEK * 0.6).renewed == ()
    assert [serial(wanted) for wanted in plan.wanted] == before
    assert stat.S_IMODE(plan.wanted[0].key.stat().st_mode) == 0o600


def test_at_two_thirds_of_its_life_a_certificate_and_its_key_are_replaced(authority: Path) -> None:
    plan = plan_of(authority)
    renew(plan, NOW)
    key = plan.wanted[0].key.read_bytes()
    assert renew(plan, NOW + WEEK * 0.7).renewed == plan.wanted
    assert plan.wanted[0].key.read_bytes() != key


def test_another_authority_or_address_replaces_it_at_once(authority: Path) -> None:
    renew(plan_of(authority), NOW)
    moved = plan_of(authority, ("127.0.0.1", "bes.example"))
    assert [wanted.name for wanted in renew(moved, NOW).renewed] == ["http"]
    install_authority(authority, "two")
    assert renew(moved, NOW).renewed == moved.wanted


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"authority": "/ca", "days": 900, "certificates": []}'],
)
def test_a_plan_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match=r"certificates\.json"):
        read_plan(text)


def test_a_missing_authority_is_told_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    item = {"name": "x", "certificate": str(tmp_path / "x.pem"), "key": str(tmp_path / "x.key")}
    file = tmp_path / "certificates.json"
    content = {"authority": str(tmp_path / "none"), "days": 7, "certificates": [item]}
    file.write_text(json.dumps(content))
    assert main(["renew", str(file)]) == 1
    assert "none" in capsys.readouterr().err
    assert not (tmp_path / "x.key").exists()


def test_a_renewal_cut_off_between_key_and_certificate_is_made_anew(authority: Path) -> None:
    plan = plan_of(authority)
    renew(plan, NOW)
    http, controller = plan.wanted
    http.key.write_bytes(controller.key.read_bytes())
    assert renew(plan, NOW).renewed == (http,)
    assert renew(plan, NOW).renewed == ()


@pytest.fixture(name="told")
def _told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What systemctl was called with; nothing is called."""
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(subprocess, "run", lambda call, **_: calls.append(call))
    return calls


def plan_file(authority: Path, folders: dict[str, Path], roots: tuple[Path, ...] = ()) -> Path:
    """A plan of one certificate for each name in its folder, whose unit has its name."""
    wanted = [
        {
            "name": name,
            "units": [f"{name}.service"],
            "reload": name == "broker",
            "certificate": str(folder / f"{name}.pem"),
            "key": str(folder / f"{name}.key"),
        }
        for name, folder in folders.items()
    ]
    content = {
        "authority": str(authority),
        "days": 7,
        "certificates": wanted,
        "roots": list(map(str, roots)),
    }
    file = authority.parent / "plan.json"
    file.write_text(json.dumps(content))
    return file


def test_what_cannot_be_renewed_does_not_keep_back_the_others(
    authority: Path,
    tmp_path: Path,
    told: list[tuple[str, ...]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    good, bad = tmp_path / "certificates", tmp_path / "no-folder"
    bad.touch()
    file = plan_file(authority, {"http": good, "controller": bad, "broker": good})
    assert main(["renew", str(file)]) == 1
    assert told == [
        ("systemctl", "--no-block", "try-restart", "http.service"),
        ("systemctl", "--no-block", "try-reload-or-restart", "broker.service"),
    ]
    said = capsys.readouterr()
    assert said.err.startswith("certificates: controller: ")
    assert said.out == "renewed: http, broker\n"


def test_nobody_is_told_of_a_pair_that_was_left_half_renewed(
    authority: Path, tmp_path: Path, told: list[tuple[str, ...]]
) -> None:
    folder = tmp_path / "certificates"
    in_the_way = folder / "http.pem"
    (in_the_way / "full").mkdir(parents=True)
    file = plan_file(authority, {"http": folder})
    assert main(["renew", str(file)]) == 1
    assert ((folder / "http.key").exists(), told) == (True, [])
    shutil.rmtree(in_the_way)
    assert main(["renew", str(file)]) == 0
    assert len(told) == 1


def test_an_owner_that_does_not_exist_leaves_the_pair_as_it_was(authority: Path) -> None:
    plan = plan_of(authority)
    renew(plan, NOW)
    http = replace(plan.wanted[0], owner="nobody-of-this-name")
    before = http.key.read_bytes()
    done = renew(replace(plan, wanted=(http,)), NOW + WEEK * 0.7)
    assert (done.renewed, len(done.failed)) == ((), 1)
    assert http.key.read_bytes() == before


def test_units_that_could_not_be_told_are_told_by_the_next_run(
    authority: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = plan_file(authority, {"http": tmp_path / "certificates"})
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", _no_systemd)
        assert main(["renew", str(file)]) == 1
    assert "http.service" in capsys.readouterr().err
    told: list[tuple[str, ...]] = []
    monkeypatch.setattr(subprocess, "run", lambda call, **_: told.append(call))
    assert main(["renew", str(file)]) == 0
    assert main(["renew", str(file)]) == 0
    assert told == [("systemctl", "--no-block", "try-restart", "http.service")]


def _no_systemd(*_arguments: object, **_named: object) -> None:
    raise subprocess.CalledProcessError(1, "systemctl")


def test_new_roots_reach_the_broker_although_no_certificate_is_due(
    authority: Path, tmp_path: Path, told: list[tuple[str, ...]]
) -> None:
    copy = tmp_path / "roots.pem"
    file = plan_file(authority, {"http": tmp_path / "certificates"}, (copy,))
    (authority / "roots.pem").write_text("the first\n")
    assert main(["renew", str(file)]) == 0
    (authority / "roots.pem").write_text("the first, its successor\n")
    assert main(["renew", str(file)]) == 0
    assert copy.read_text() == "the first, its successor\n"
    assert len(told) == 1  # of the certificate; the broker's unit watches its copy
    before = copy.stat().st_ino
    assert main(["renew", str(file)]) == 0
    assert copy.stat().st_ino == before


def test_missing_roots_are_told_of_and_keep_back_no_certificate(
    authority: Path, tmp_path: Path, told: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    file = plan_file(authority, {"http": tmp_path / "certificates"}, (tmp_path / "roots.pem",))
    assert main(["renew", str(file)]) == 1
    assert "roots.pem" in capsys.readouterr().err
    assert len(told) == 1
