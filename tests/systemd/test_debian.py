"""Broker, controller and an agent of each role, on a booted Debian, with what is shipped.

One deployment goes through all steps in their order; a step that fails ends it, with the journal.
"""

import os
import shutil
import time
from pathlib import Path

import pytest

from tests.systemd.scenario import STEPS, deployment


@pytest.fixture(scope="module")
def _able_to_boot() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can boot a machine")
    for program in ("systemd-nspawn", "debootstrap", "nsenter"):
        if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
            pytest.fail(f"{program} is missing: provisioning/setup.sh test installs it")


@pytest.mark.usefixtures("_able_to_boot")
@pytest.mark.parametrize(
    "suite", ["bookworm", pytest.param("trixie", marks=pytest.mark.soak)], ids=["12", "13"]
)
def test_a_deployment_lives_from_its_installation_to_its_removal(
    suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = time.monotonic()
    times = []
    doing = "setting up"
    try:
        with deployment(suite, tmp_path) as deployed:
            times.append((doing, time.monotonic() - begun))
            for step in STEPS:
                doing = step.__name__.replace("_", " ")
                began = time.monotonic()
                said = step(deployed)
                times.append((f"{doing}{f': {said}' * bool(said)}", time.monotonic() - began))
    except BaseException:
        journal = tmp_path / "journal.txt"
        said = journal.read_text() if journal.exists() else "no journal"
        with capsys.disabled():
            print(f"\n--- {suite}, {doing}: the machine's journal\n{said}")
        raise
    with capsys.disabled():
        print(f"\n{suite}: {time.monotonic() - begun:.0f} s in all")
        for what, seconds in times:
            print(f"  {seconds:6.1f} s  {what}")
