"""Bundles as `wheelhouse.sh` makes them: of the checkout, of a later version, of a broken one."""

import errno
import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from tests.systemd.machines import MachineError, cache_folder

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("agent", "controller", "firmware_bridges", "models", "provisioning", "shared", "systemd")
_OURS = "bitcoin_enterprise_suite-"
FILES = ("pyproject.toml", "requirements.lock", "README.md", "LICENSE")


def make_bundle(folder: Path, version: str, appended: Mapping[str, str] | None = None) -> Path:
    """A bundle of the checkout that calls itself `version`, in `folder`.

    `appended` maps source files to text that is added at their end, or that they are made of. The
    wheels of others are kept between runs.
    """
    source = folder / f"source-{version}"
    source.mkdir(parents=True)
    for name in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in FILES:
        shutil.copy2(ROOT / name, source / name)
    dist = Path("node_modules") / "uplot" / "dist"
    shutil.copytree(ROOT / dist, source / dist)
    project = source / "pyproject.toml"
    text = re.sub(r'(?m)^version = ".*"$', f'version = "{version}"', project.read_text(), count=1)
    project.write_text(text)
    for name, addition in (appended or {}).items():
        with (source / name).open("a") as file:
            file.write(addition)
    bundle = folder / f"bundle-{version}"
    kept = cache_folder() / "wheels"
    kept.mkdir(exist_ok=True)
    with (cache_folder() / "wheels.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.copytree(kept, bundle / "wheels", copy_function=_share)
        ended = subprocess.run(
            (str(source / "provisioning" / "install" / "wheelhouse.sh"), str(bundle)),
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHON": sys.executable},
        )
        if ended.returncode != 0:
            raise MachineError(f"wheelhouse.sh: {ended.stdout}{ended.stderr}")
        for wheel in (bundle / "wheels").iterdir():
            if not wheel.name.startswith(_OURS) and not (kept / wheel.name).exists():
                shutil.copy2(wheel, kept / wheel.name)
        for stamp in (bundle / "wheels").glob(".complete-*"):
            shutil.copy2(stamp, kept / stamp.name)
    shutil.rmtree(source)
    return bundle


def move_to_index(bundle: Path) -> None:
    """Leaves the suite's own wheel where it is, and puts all others into `index`, as a package
    index has them (PEP 503)."""
    for wheel in (bundle / "wheels").glob("*.whl"):
        if wheel.name.startswith(_OURS):
            continue
        project = bundle / "index" / re.sub(r"[-_.]+", "-", wheel.name.split("-")[0]).lower()
        project.mkdir(parents=True, exist_ok=True)
        wheel.rename(project / wheel.name)
        with (project / "index.html").open("a") as page:
            page.write(f'<a href="{quote(wheel.name)}">{wheel.name}</a>\n')


def _share(source: str, target: str) -> None:
    """A wheel as a second name of the same file where that can be; it is never written on."""
    try:
        if source.endswith(".whl"):
            os.link(source, target)
            return
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK}:
            raise
    shutil.copy2(source, target)
