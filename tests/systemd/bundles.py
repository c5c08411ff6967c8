"""Bundles as `wheelhouse.sh` makes them: of the checkout, of a later version, of a broken one."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.systemd.machines import MachineError, cache_folder

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("agent", "controller", "firmware_bridges", "models", "provisioning", "shared", "systemd")
FILES = ("pyproject.toml", "requirements.lock", "README.md", "LICENSE")


def make_bundle(folder: Path, version: str, appended: Mapping[str, str] | None = None) -> Path:
    """A bundle of the checkout that calls itself `version`, in `folder`.

    `appended` maps source files to text that is added at their end. The wheels of others are kept
    between runs.
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
        shutil.copytree(kept, bundle / "wheels")
        ended = subprocess.run(
            (str(source / "provisioning" / "install" / "wheelhouse.sh"), str(bundle)),
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHON": sys.executable},
        )
        if ended.returncode != 0:
            raise MachineError(f"wheelhouse.sh: {ended.stdout}{ended.stderr}")
        shutil.copytree(
            bundle / "wheels",
            kept,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("bitcoin_enterprise_suite-*"),
        )
    shutil.rmtree(source)
    return bundle
