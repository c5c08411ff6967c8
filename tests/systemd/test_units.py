"""What systemd itself says of the shipped units, and shellcheck of the scripts."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "systemd"
MOST_EXPOSED = {"bes-agent@signer": 1.5, "bes-controller": 1.5, "bes-agent@site": 2.0}


@pytest.fixture(name="units")
def _units(tmp_path: Path) -> Path:
    """The units as they are installed, templates as the instances they are used as; what they
    start is replaced by something that every host has."""
    units = tmp_path / "units"
    shutil.copytree(SHIPPED, units)
    for template in list(units.glob("*@.*")):
        for role in ("site", "signer"):
            text = template.read_text().replace("%i", role)
            (units / template.name.replace("@.", f"@{role}.")).write_text(text)
    for unit in units.glob("*.service"):
        text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text())
        unit.write_text(text)
    return units


def test_units_are_verified_without_a_complaint(units: Path) -> None:
    files = [str(f) for f in units.iterdir() if f.is_file() and not re.search(r"@\.", f.name)]
    ran = subprocess.run(
        ("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *files),
        check=False,
        capture_output=True,
        text=True,
    )
    ours = [line for line in ran.stderr.splitlines() if "bes-" in line]
    assert ours == [], ran.stderr
    assert len(files) >= 10


@pytest.mark.parametrize("unit", MOST_EXPOSED)
def test_exposure_is_at_most(unit: str, units: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = subprocess.run(
        ("systemd-analyze", "security", "--offline=true", "--no-pager", f"{units}/{unit}.service"),
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{units}:", "LC_ALL": "C.UTF-8"},
    )
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", ran.stdout)
    assert found is not None, ran.stdout
    with capsys.disabled():
        print(f"\n{found[0]} (at most {MOST_EXPOSED[unit]})")
    assert float(found[1]) <= MOST_EXPOSED[unit]
    _assert_points_are_explained(unit, ran.stdout)


def _assert_points_are_explained(unit: str, report: str) -> None:
    """Each point that is left is named in a comment of the unit or of its drop-in."""
    files = [SHIPPED / f"{re.sub('@.*', '@', unit)}.service"]
    files += sorted((SHIPPED / f"{unit}.service.d").glob("*.conf"))
    comments = " ".join(
        line for file in files for line in file.read_text().splitlines() if line.startswith("#")
    )
    for point in re.findall(r"✗ (\w+=)", report):
        assert point in comments, f"{unit}: {point} is left and not explained"


def test_scripts_pass_shellcheck() -> None:
    scripts = sorted((ROOT / "provisioning").rglob("*.sh"))
    assert len(scripts) >= 5
    ran = subprocess.run(
        ("shellcheck", "-x", *map(str, scripts)),
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.stdout == ""
    assert ran.returncode == 0
