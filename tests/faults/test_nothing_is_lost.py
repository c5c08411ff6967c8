"""Whatever breaks: no accepted row is lost or doubled, no command acts twice or wrongly."""

import subprocess
from pathlib import Path

import pytest

from tests.faults.accidents import plan_run
from tests.faults.run import play

BOUNDED_RUNS = 4
SOAK_RUNS = 100


def commit_seed() -> int:
    """A number from the commit, so that a failure is repeated by running the same commit."""
    root = Path(__file__).resolve().parents[2]
    asked = subprocess.run(
        ["git", "rev-parse", "--short=7", "HEAD"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return int(asked.stdout.strip() or "1", 16)


@pytest.mark.parametrize("number", range(BOUNDED_RUNS))
def test_a_run_of_this_commits_seed_loses_and_doubles_nothing(
    number: int, database_url: str, tmp_path: Path
) -> None:
    outcome = play(plan_run(commit_seed() + number), tmp_path, database_url)
    print(outcome)
    assert outcome.rows_accepted > 0
    assert outcome.orders.total() >= 1


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(SOAK_RUNS))
def test_a_run_of_any_seed_loses_and_doubles_nothing(
    seed: int, database_url: str, tmp_path: Path
) -> None:
    outcome = play(plan_run(seed), tmp_path, database_url)
    print(outcome)
    assert outcome.rows_accepted > 0
