"""The certificates of the controller's own host."""

import json
import stat
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
    assert renew(plan, NOW) == plan.wanted
    before = [serial(wanted) for wanted in plan.wanted]
    assert renew(plan, NOW + WEEK * 0.6) == ()
    assert [serial(wanted) for wanted in plan.wanted] == before
    assert stat.S_IMODE(plan.wanted[0].key.stat().st_mode) == 0o600


def test_at_two_thirds_of_its_life_a_certificate_and_its_key_are_replaced(authority: Path) -> None:
    plan = plan_of(authority)
    renew(plan, NOW)
    key = plan.wanted[0].key.read_bytes()
    assert renew(plan, NOW + WEEK * 0.7) == plan.wanted
    assert plan.wanted[0].key.read_bytes() != key


def test_another_authority_or_address_replaces_it_at_once(authority: Path) -> None:
    renew(plan_of(authority), NOW)
    moved = plan_of(authority, ("127.0.0.1", "bes.example"))
    assert [wanted.name for wanted in renew(moved, NOW)] == ["http"]
    install_authority(authority, "two")
    assert renew(moved, NOW) == moved.wanted


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
