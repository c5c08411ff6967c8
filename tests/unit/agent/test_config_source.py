"""The configuration's sources: TOML, environment, and errors that say what is allowed."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from agent.config_paths import ConfigPath
from agent.config_source import ConfigError, ConfigKeyError, load, merge_environment


class Inner(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    port: int = Field(default=1, ge=1, le=10)
    file: ConfigPath | None = None


class Outer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    inner: Inner = Field(default_factory=Inner)
    many: list[Inner] = Field(default_factory=list)


def written(folder: Path, text: str) -> Path:
    file = folder / "agent.toml"
    file.write_text(text, encoding="utf-8")
    return file


def problems(folder: Path, text: str, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(written(folder, text), Outer, environment or {})
    for line in str(caught.value).splitlines():
        assert line.startswith(str(folder / "agent.toml"))
    return [str(problem) for problem in caught.value.problems]


def test_the_file_is_read_and_paths_start_at_its_folder(tmp_path: Path) -> None:
    file = written(tmp_path, 'name = "a"\n[inner]\nport = 7\nfile = "keys/a.pem"\n')
    config = load(file, Outer, {})
    assert config.inner.port == 7
    assert config.inner.file == tmp_path / "keys" / "a.pem"


def test_the_environment_overrides_single_keys_and_pydantic_types_them(tmp_path: Path) -> None:
    file = written(tmp_path, 'name = "a"\n[inner]\nport = 7\n[[many]]\nport = 1\n[[many]]\n')
    environment = {
        "BES__INNER__PORT": "9",
        "BES__NAME": "b",
        "BES__MANY__1__PORT": "3",
        "OTHER__NAME": "c",
    }
    config = load(file, Outer, environment)
    assert (config.name, config.inner.port) == ("b", 9)
    assert [entry.port for entry in config.many] == [1, 3]


def test_a_section_that_the_file_lacks_can_come_from_the_environment(tmp_path: Path) -> None:
    assert load(written(tmp_path, 'name = "a"'), Outer, {"BES__INNER__PORT": "5"}).inner.port == 5


def test_merging_changes_a_copy_only() -> None:
    values: dict[str, Any] = {"inner": {"port": 1}, "many": [{"port": 2}]}
    merged = merge_environment(values, {"BES__INNER__PORT": "3", "BES__MANY__0__PORT": "4"})
    assert values == {"inner": {"port": 1}, "many": [{"port": 2}]}
    assert merged == {"inner": {"port": "3"}, "many": [{"port": "4"}]}


@pytest.mark.parametrize(
    "variable", ["BES__NAME__X", "BES__MANY__5__PORT", "BES__MANY__X__PORT", "BES____X", "BES__"]
)
def test_a_variable_that_names_no_place_is_refused(variable: str) -> None:
    with pytest.raises(ConfigKeyError) as caught:
        merge_environment({"name": "a", "many": [{}]}, {variable: "1"})
    assert variable in str(caught.value)


def test_a_wrong_value_is_named_with_what_is_allowed(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, 'name = "a"\n[inner]\nport = 70\n')
    assert problem.startswith("inner.port: ")
    assert "less than or equal to 10" in problem
    assert "70" in problem


def test_an_unknown_key_is_named_with_the_keys_there_are(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, 'name = "a"\n[inner]\nprot = 7\n')
    assert problem == "inner.prot: no such key (allowed: file, port)"
    (problem,) = problems(tmp_path, 'name = "a"\n[[many]]\nprot = 7\n')
    assert problem == "many.0.prot: no such key (allowed: file, port)"


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, "[inner]\nport = 0\nextra = 1\n")
    assert {problem.split(":")[0] for problem in found} == {"name", "inner.port", "inner.extra"}


def test_a_wrong_variable_is_reported_with_the_file_it_overrides(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, 'name = "a"', {"BES__NAME__X": "1"})
    assert problem.startswith("BES__NAME__X")


def test_a_file_that_is_missing_or_no_toml_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "absent.toml", Outer, {})
    assert "not TOML" in problems(tmp_path, "name = ")[0]
    (tmp_path / "agent.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not TOML"):
        load(tmp_path / "agent.toml", Outer, {})
