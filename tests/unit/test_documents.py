"""What the documents show works as they show it."""

import re
import tomllib
from pathlib import Path

import pytest

from agent.config import AgentConfig
from controller.config import ControllerConfig
from tests.attacks import table as attacks

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCED = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)\)")
NAMED = re.compile(
    r"`((?:agent|controller|shared|firmware_bridges|models|provisioning|tests)/[\w/.]+)`"
)


def configurations() -> list[str]:
    """The TOML blocks of the operator's page."""
    return FENCED.findall((ROOT / "docs" / "operator.md").read_text(encoding="utf-8"))


def test_the_operators_page_has_a_configuration_of_each_side() -> None:
    agent, controller = map(tomllib.loads, configurations())
    assert AgentConfig.model_validate(agent).node == "site-a-01"
    assert ControllerConfig.model_validate(controller).site[0].nodes == ("site-a-01",)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    missing += [name for name in NAMED.findall(text) if not (ROOT / name).exists()]
    assert missing == []


def test_the_commands_of_readme_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^    make (\w+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert set(targets) == {"demo", "test"}
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_the_page_of_attacks_is_that_of_the_tests() -> None:
    assert (ROOT / "docs" / "attacks.md").read_text("utf-8") == attacks.page()
