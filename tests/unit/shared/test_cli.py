"""`bes` dispatches to what packages contribute."""

import subprocess
import sys

import pytest

from shared.cli import main


def test_without_a_command_it_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    told = capsys.readouterr().out
    assert all(command in told for command in ("agent", "controller", "demo"))


def test_an_unknown_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fly"]) == 2
    assert "no such command: fly" in capsys.readouterr().err


def test_it_imports_neither_side_before_one_is_called() -> None:
    script = (
        "import sys; from shared.cli import main; main(['--help']);"
        "sys.exit(any(name in sys.modules for name in ('agent', 'controller', 'onnxruntime')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
