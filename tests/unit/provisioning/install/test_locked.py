"""The part of the lock that a host needs."""

from pathlib import Path

import pytest

from provisioning.install.locked import entries, is_for, needed, roots_of, unmarked

LOCK = """\
alpha==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
    # via bitcoin-enterprise-suite (pyproject.toml)
Beta_x==2.0 ; python_full_version < '3.12' \\
    --hash=sha256:ba
    # via
    #   alpha
    #   gamma
beta-x==2.5 ; python_full_version >= '3.12' \\
    --hash=sha256:bb
    # via alpha
gamma==3.0 \\
    --hash=sha256:ca
    # via bitcoin-enterprise-suite (pyproject.toml)
"""
ROOT = Path(__file__).resolve().parents[4]


def test_what_a_root_pulls_in_comes_with_it_and_nothing_else() -> None:
    lock = entries(LOCK)
    assert [entry.name for entry in needed(lock, ["alpha>=1"])] == ["alpha", "beta-x", "beta-x"]
    assert [entry.name for entry in needed(lock, ["gamma"])] == ["beta-x", "beta-x", "gamma"]


def test_a_version_of_python_gets_its_own_entry_without_the_marker() -> None:
    found = [e for e in entries(LOCK) if e.name == "beta-x" and is_for(e, (3, 13))]
    assert [unmarked(entry) for entry in found] == [("beta-x==2.5 \\", "    --hash=sha256:bb")]
    assert [is_for(e, (3, 11)) for e in entries(LOCK)] == [True, True, False, True]


def test_the_projects_own_lock_gives_an_agent_no_tests_and_no_training() -> None:
    lock = entries((ROOT / "requirements.lock").read_text("utf-8"))
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    names = {entry.name for entry in needed(lock, roots_of(project, ["agent"]))}
    assert {"aiohttp", "pymodbus", "onnxruntime", "cryptography", "cffi", "yarl"} <= names
    assert not {"pytest", "mypy", "lightgbm", "fastapi"} & names
    assert all("--hash=sha256:" in "".join(entry.lines) for entry in lock)


def test_an_unknown_extra_is_refused() -> None:
    with pytest.raises(KeyError, match="treasury"):
        roots_of((ROOT / "pyproject.toml").read_text("utf-8"), ["treasury"])
